/**
 * A host whose source of randomness repeats itself, and an agent that is notified again and again over
 * forks of forks: what of it is used, and whether any of it was used before.
 */
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';
import { type AgentAction, GuestVm, type NotifyRequest } from './guest-vm.ts';
import { KernelGenerator } from './kernel-generator.ts';
import { SeedWatch } from './seed-watch.ts';
import { WitnessStore } from './witness-store.ts';

/** What the host draws, by number: equal numbers are equal octets. */
export interface Draw {
  readonly seed: number;
  readonly seedOctets: number;
  readonly nonce: number;
  readonly generation: number;
}

export type HostMove =
  | ({ readonly do: 'fork'; readonly snapshot: number } & Draw)
  | { readonly do: 'kill -9' };

export type AgentMove =
  | ({ readonly do: 'notify'; readonly version: number } & Draw)
  /** Release, work, and a snapshot of the running fork: the next notify is for a fork of this fork. */
  | { readonly do: 'release and snapshot' };

export type ReuseCase =
  | { readonly side: 'host'; readonly storeCapacity: number; readonly moves: readonly HostMove[] }
  | { readonly side: 'agent'; readonly moves: readonly AgentMove[] };

export interface Reuse {
  readonly violation: Violation | null;
  readonly used: number;
  readonly rule: string;
}

/** Octets of a number, in hex: the same for the same number, whatever their count. */
export function numbered(kind: string, value: number, octets: number): string {
  const unit = `${kind === 'seed' ? 'a' : 'b'}${value.toString(16)}`.slice(0, 2).padEnd(2, '0');
  return unit.repeat(octets);
}

type Used = Pick<NotifyRequest, 'generation' | 'nonce' | 'seed'>;

/** Why this may not be used after those, or null. */
function reused(next: Used, before: readonly Used[], ascending: boolean): string | null {
  if (next.seed.length < 64) return `a seed of ${next.seed.length / 2} octets`;
  if (next.nonce.length !== 64) return `a nonce of ${next.nonce.length / 2} octets`;
  if (!Number.isSafeInteger(next.generation) || next.generation < 1) return `generation ${next.generation}`;
  for (const { generation, nonce, seed } of before) {
    if (seed === next.seed) return 'a seed that was used before';
    if (!ascending && nonce === next.nonce) return 'a nonce that was used before';
    if (generation === next.generation || (ascending && generation > next.generation)) {
      return `generation ${next.generation} after ${generation}`;
    }
  }
  return null;
}

function violation(observed: string, observedRule: string, steps: readonly string[]): Violation {
  const required = 'refuse it';
  return {
    observed,
    observedRule,
    required,
    requiredRule: 'findings.md F6 Reference: fresh, single-use, unique per fork',
    steps,
  };
}

export function runReuse(subject: Subject, input: ReuseCase): Reuse {
  return input.side === 'host'
    ? runHost(subject, input.storeCapacity, input.moves)
    : runAgent(subject, input.moves);
}

function runHost(subject: Subject, storeCapacity: number, moves: readonly HostMove[]): Reuse {
  const watch = new SeedWatch(subject, new WitnessStore(storeCapacity));
  let seen = 0;
  for (const [index, move] of moves.entries()) {
    if (move.do === 'kill -9') {
      watch.restart();
      continue;
    }
    const { snapshot, generation } = move;
    const seed = numbered('seed', move.seed, move.seedOctets);
    watch.begin({
      fork: `fork-${index}`,
      snapshot: `sha256:template-${snapshot}`,
      generation,
      seed,
      nonce: numbered('nonce', move.nonce, 32),
    });
    watch.answer(0);
    const sent = watch.sent[seen];
    if (sent === undefined) continue;
    const before = watch.sent.slice(0, seen).filter((each) => each.snapshot === sent.snapshot);
    seen = watch.sent.length;
    const wrong = reused(sent, before, false);
    if (wrong !== null)
      return {
        violation: violation(`${sent.fork} is sent ${wrong}`, watch.rule, watch.steps),
        used: seen,
        rule: watch.rule,
      };
  }
  return { violation: null, used: seen, rule: watch.rule };
}

function runAgent(subject: Subject, moves: readonly AgentMove[]): Reuse {
  const kernel = KernelGenerator.fork('template', 0, 'jitter', 'working');
  const guest = new GuestVm(subject, 0, 0, kernel);
  guest.snapshotted(true);
  const used: Used[] = [];
  const steps: string[] = [];
  for (const move of moves) {
    if (move.do === 'release and snapshot') {
      settle(guest, guest.take({ kind: 'release', generation: used.at(-1)?.generation ?? 0 }).actions);
      guest.snapshotted(true);
      steps.push(`release, prepare-snapshot → ${guest.rule}`);
      continue;
    }
    const { version, generation } = move;
    const seed = numbered('seed', move.seed, move.seedOctets);
    const request = {
      version,
      generation,
      seed,
      nonce: numbered('nonce', move.nonce, 32),
      host_wall_clock_nanos: 1,
    };
    const credited = settle(guest, guest.take({ kind: 'notify-forked', request }).actions);
    steps.push(`notify_forked version ${version} generation ${generation} → ${guest.rule}`);
    if (!credited) continue;
    const wrong = version === 1 ? reused(request, used, true) : `version ${version}`;
    used.push(request);
    if (wrong !== null)
      return {
        violation: violation(`the agent takes ${wrong}`, guest.rule, steps),
        used: used.length,
        rule: guest.rule,
      };
  }
  return { violation: null, used: used.length, rule: guest.rule };
}

/** Carries out what the agent asks for until nothing is left: true when it credited a seed. */
function settle(guest: GuestVm, first: readonly AgentAction[]): boolean {
  let credited = false;
  const open = [...first];
  for (
    let action = open.shift(), turns = 0;
    action !== undefined && turns < 32;
    action = open.shift(), turns++
  ) {
    if (action.kind === 'call' && action.call.call === 'RNDADDENTROPY') credited = true;
    const outcome = guest.perform(action);
    if (outcome !== null) open.push(...guest.take(outcome).actions);
  }
  return credited;
}
