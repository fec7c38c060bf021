/**
 * Guests of the zoo before a gate, several at once: who was refused, by which rule, and what is left of them.
 * Invariant: which guest a fork was is read from the generation that crossed to it, not from the order of calls.
 */
import { existsSync } from 'node:fs';
import { everyGuest, guestOf, type ZooGuest } from '#kvm-lab/guests/zoo.ts';
import type { RunningVm } from '#reference/contract/vmm-port.ts';
import type { Crossing } from './crossings.ts';
import { messageOf } from './fork-attack.ts';

export interface ZooEnd {
  readonly guest: ZooGuest;
  readonly generation: number;
  readonly isAdmitted: boolean;
  /** Why it was not. */
  readonly rule: string;
  /** The VMM's process is there still. */
  readonly isLeft: boolean;
  /** Lines on the services channel that the host sent to it. */
  readonly served: number;
}

export interface ZooFork {
  readonly vm: RunningVm;
  readonly crossings: readonly Crossing[];
}

/** Rejects when the fork is refused. */
export type ForkOne = (
  index: number,
) => Promise<{ readonly fork: () => ZooFork | null; readonly admitted: Promise<unknown> }>;

function generationOf({ crossings }: ZooFork): number {
  const sent = crossings.find(({ to, text }) => to === 'guest' && text.includes('"method":"notify_forked"'));
  return Number(/"generation":(\d+)/.exec(sent?.text ?? '')?.[1] ?? 0);
}

const isThere = (pid: number) => existsSync(`/proc/${pid}/exe`);

/** @param atOnce forks that are before the gate together; most of the zoo waits for its deadline */
export async function runZoo(count: number, atOnce: number, forkOne: ForkOne): Promise<ZooEnd[]> {
  const ends: ZooEnd[] = [];
  const running = new Set<Promise<void>>();
  for (let index = 0; index < count; index++) {
    while (running.size >= atOnce) await Promise.race(running);
    const { fork, admitted } = await forkOne(index);
    const end = admitted
      .then(() => '', messageOf)
      .then((rule) => {
        const made = fork();
        if (made === null) throw new Error(`a guest of the zoo was never forked: ${rule}`);
        ends.push(endOf(made, rule));
        return made.vm.stop();
      })
      .finally(() => running.delete(end));
    running.add(end);
  }
  await Promise.all(running);
  return ends.sort((one, other) => one.generation - other.generation);
}

function endOf(fork: ZooFork, rule: string): ZooEnd {
  const generation = generationOf(fork);
  const guest = guestOf(everyGuest, generation);
  if (guest === null) throw new Error(`no guest of the zoo has generation ${generation}`);
  const served = fork.crossings.filter(({ channel, to }) => channel === 'services' && to === 'guest').length;
  return {
    guest,
    generation,
    isAdmitted: rule === '',
    rule,
    isLeft: rule !== '' && isThere(fork.vm.pid),
    served,
  };
}

const lateRule = /: (deadline|late$|no response)/;

/**
 * What the gate did that it must not. A guest that answers has to be refused for what it answers: a deadline that
 * refuses everybody shows nothing.
 * @param isDeterministic the clock makes siblings that force a reseed alike
 */
export function faultsOf(ends: readonly ZooEnd[], isDeterministic: boolean): string[] {
  const faults: string[] = [];
  const firstOf = new Set<string>();
  for (const { guest, isAdmitted, rule, isLeft, served } of ends) {
    const isFirst = !firstOf.has(guest.name);
    firstOf.add(guest.name);
    if (isAdmitted && mustBeRefused(guest, isFirst, isDeterministic))
      faults.push(`${guest.name} was admitted: it ${guest.does}`);
    if (!isAdmitted && guest.refused === 'never') faults.push(`an honest guest was refused: ${rule}`);
    if (!isAdmitted && served > 0)
      faults.push(`${guest.name} was spoken to on its services channel before it was refused`);
    if (isLeft) faults.push(`${guest.name} was refused, and its VMM runs on`);
  }
  return faults;
}

function mustBeRefused({ refused }: ZooGuest, isFirst: boolean, isDeterministic: boolean): boolean {
  if (refused === 'always') return true;
  if (refused === 'all siblings but one') return !isFirst;
  return refused === 'clones' && isDeterministic && !isFirst;
}

/** Guests that answer, and were refused because they did not in time: the run was too slow to judge them. */
export const tooSlow = (ends: readonly ZooEnd[]) =>
  ends.filter(({ guest, rule }) => answers(guest) && lateRule.test(rule)).map(({ guest }) => guest.name);

const answers = ({ name, seenBy }: ZooGuest) =>
  seenBy === 'witness' || /^(answer|proof|stale|later)-/.test(name);

export const zooTable = (ends: readonly ZooEnd[]) =>
  ends.map(
    ({ guest, generation, isAdmitted, rule }) =>
      `${generation} ${guest.name}: ${isAdmitted ? 'admitted' : `refused: ${rule.replace(/^\S+ was refused: /, '')}`}`,
  );
