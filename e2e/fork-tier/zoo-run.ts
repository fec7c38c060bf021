/**
 * Guests of the zoo before a gate, several at once: who was refused, by which rule, and what is left of them.
 * Invariant: which guest a fork was is read from the generation that crossed to it, not from the order of calls.
 */
import { existsSync } from 'node:fs';
import { everyGuest, guestOf, type ZooGuest } from '#kvm-lab/guests/zoo.ts';
import type { GeneratorState, RunningVm } from '#reference/contract/vmm-port.ts';
import type { Crossing } from './crossings.ts';
import { messageOf } from './message-of.ts';

export interface ZooEnd {
  readonly guest: ZooGuest;
  readonly generation: number;
  readonly isAdmitted: boolean;
  /** Why it was not. */
  readonly rule: string;
  /** The VMM's process is there still. */
  readonly isLeft: boolean;
  /** Of the admitted: its kernel's generator is another than the snapshot's. null: not read. */
  readonly hasReseeded: boolean | null;
  /** That it answered; null: none. */
  readonly sample: string | null;
  /** Lines on the services channel that the host sent to it. */
  readonly served: number;
}

export interface ZooFork {
  readonly vm: RunningVm;
  readonly crossings: readonly Crossing[];
  /** What the generator of its snapshot held. */
  readonly atSnapshot: GeneratorState | null;
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
      .then(async (rule) => {
        const made = fork();
        if (made === null) throw new Error(`a guest of the zoo was never forked: ${rule}`);
        const now = rule === '' ? await made.vm.generator().catch(() => null) : null;
        const hasReseeded = now === null ? null : now.keySha256 !== made.atSnapshot?.keySha256;
        ends.push({ ...endOf(made, rule), hasReseeded });
        await made.vm.stop();
      })
      .finally(() => running.delete(end));
    running.add(end);
  }
  await Promise.all(running);
  return ends.sort((one, other) => one.generation - other.generation);
}

function endOf(fork: ZooFork, rule: string): Omit<ZooEnd, 'hasReseeded'> {
  const generation = generationOf(fork);
  const guest = guestOf(everyGuest, generation);
  if (guest === null) throw new Error(`no guest of the zoo has generation ${generation}`);
  const { crossings, vm } = fork;
  const served = crossings.filter(({ channel, to }) => channel === 'services' && to === 'guest').length;
  const answers = crossings.filter(({ channel, to }) => channel === 'control' && to === 'host');
  const said = answers.map(({ text }) => text).join('');
  const sample = /"sample":"([0-9a-f]{64})"/.exec(said)?.[1] ?? null;
  const isLeft = rule !== '' && isThere(vm.pid);
  return { guest, generation, isAdmitted: rule === '', rule, isLeft, sample, served };
}

/**
 * What the gate did that it must not. A guest that answers has to be refused for what it answers: a deadline that
 * refuses everybody shows nothing.
 */
export function faultsOf(ends: readonly ZooEnd[]): string[] {
  const faults: string[] = [];
  for (const end of ends) {
    const { guest, isAdmitted, rule, isLeft, served } = end;
    if (isAdmitted && guest.refused === 'always' && !byItself(end))
      faults.push(`${guest.name} was admitted: it ${guest.does}`);
    if (!isAdmitted && guest.refused === 'never') faults.push(`an honest guest was refused: ${rule}`);
    if (!isAdmitted && served > 0)
      faults.push(`${guest.name} was spoken to on its services channel before it was refused`);
    if (isLeft) faults.push(`${guest.name} was refused, and its VMM runs on`);
  }
  const admitted = ends.filter(({ isAdmitted, sample }) => isAdmitted && sample !== null);
  for (const twins of twinsIn(admitted)) {
    const names = twins.map(({ guest, generation }) => `${guest.name} (generation ${generation})`);
    faults.push(`admitted with one sample: ${names.join(', ')}`);
  }
  return faults;
}

/**
 * A guest that only did not reseed, and whose kernel has done so by itself before its answer: it has diverged, and to
 * admit it is right. The snapshot is as fresh as it can be, so that this is rare.
 */
const byItself = ({ guest, isAdmitted, hasReseeded }: ZooEnd) =>
  isAdmitted && guest.seenBy === 'witness' && hasReseeded === true;

/** Those that answered the same sample. */
export function twinsIn(ends: readonly ZooEnd[]): ZooEnd[][] {
  const bySample = Map.groupBy(
    ends.filter(({ sample }) => sample !== null),
    ({ sample }) => sample,
  );
  return [...bySample.values()].filter(({ length }) => length > 1);
}

/** Guests that the run was too slow to judge: late though they answer, or reseeded by their kernel meanwhile. */
export const tooSlow = (ends: readonly ZooEnd[]) =>
  [...ends.filter(byItself), ...ends.filter(isLate)].map(({ guest }) => guest.name);

const isLate = ({ guest, rule }: ZooEnd) => answers(guest) && lateRule.test(rule);

const answers = ({ name, seenBy }: ZooGuest) =>
  seenBy === 'witness' || /^(answer|proof|stale|later)-/.test(name);
const lateRule = /: (deadline|late$|no response)/;

export const zooTable = (ends: readonly ZooEnd[]) =>
  ends.map(
    ({ guest, generation, isAdmitted, rule }) =>
      `${generation} ${guest.name}: ${isAdmitted ? 'admitted' : `refused: ${rule.replace(/^\S+ was refused: /, '')}`}`,
  );
