/**
 * Several forks of one snapshot at a subject's gate at once: responses, inserts and the store's answers in
 * any order that the scheduler picks, and a host that is killed in between. The store alone survives.
 */
import type * as fc from 'fast-check';
import type { ConfigOf } from '../protocol/decision.ts';
import type { reseedGate } from '../protocol/reseed-gate.ts';
import type { Subject } from '../subjects/subject.ts';
import { type Answer, answerOf, type Guest } from './guest-zoo.ts';
import { type StoreAnswer, WitnessStore } from './witness-store.ts';

export const crowdDeadlineMs = 1000;
const configs: Readonly<Record<'read' | 'unread', ConfigOf<typeof reseedGate>>> = {
  read: { deadlineMs: crowdDeadlineMs, requireWitness: true },
  unread: { deadlineMs: crowdDeadlineMs, requireWitness: false },
};
const snapshot = 'sha256:template';

export interface CrowdFork {
  readonly guest: Guest;
  readonly elapsedMs: number;
  /** 32 octets, hex. */
  readonly nonce: string;
}

export interface Crowd {
  /** The VMM reads generators and the gate requires it. */
  readonly hostWitness: boolean;
  /** Generation of the first fork; the others follow. */
  readonly generation: number;
  /** Keys that the store takes for the snapshot. */
  readonly capacity: number;
  /** Which insert fails, counted from 0; null: none. */
  readonly failingInsert: number | null;
  /** kill -9 after so many steps; the second half of the forks come after it. null: never. */
  readonly crashAfter: number | null;
  readonly forks: readonly CrowdFork[];
}

export interface GatedFork {
  readonly index: number;
  readonly guest: Guest;
  readonly answer: Answer;
  readonly admitted: boolean;
  readonly rule: string;
  /** What the store said; null: it was not asked. */
  readonly insertion: StoreAnswer | null;
}

export interface GatedCrowd {
  /** In the order in which they were decided. */
  readonly decided: readonly GatedFork[];
  readonly steps: readonly string[];
}

export async function runCrowd(subject: Subject, crowd: Crowd, scheduler: fc.Scheduler): Promise<GatedCrowd> {
  const { hostWitness, generation, forks, crashAfter } = crowd;
  const gate = subject.decide('reseed-gate', hostWitness ? configs.read : configs.unread);
  const store = new WitnessStore(crowd.capacity, crowd.failingInsert === null ? [] : [crowd.failingInsert]);
  const decided: GatedFork[] = [];
  const steps: string[] = [];
  const killed = new Set<number>();
  let alive: number[] = [];
  const first = { generation, nonce: forks[0]?.nonce ?? '' };

  const step = async (index: number, what: string): Promise<boolean> => {
    await scheduler.schedule(Promise.resolve());
    if (killed.has(index)) return false;
    steps.push(`fork ${index}: ${what}`);
    return true;
  };
  const pass = async ({ guest, elapsedMs, nonce }: CrowdFork, index: number): Promise<void> => {
    const asked = { generation: generation + index, nonce };
    const context = { index, asked, first, deadlineMs: crowdDeadlineMs, elapsedMs, hostWitness };
    const answer = answerOf(guest, context);
    const { line: response, witness } = answer;
    const input = { request: { snapshot, ...asked }, response, elapsedMs: answer.elapsedMs, witness };
    if (!(await step(index, `${guest.kind} answers`))) return;
    let judged = gate({ ...input, insertion: null });
    let insertion: StoreAnswer | null = null;
    if (judged.verdict === 'insert' && judged.insert !== undefined) {
      if (!(await step(index, 'the store is asked'))) return;
      const { keys } = judged.insert;
      insertion = store.insert(judged.insert.snapshot, asked.generation, keys);
      if (!(await step(index, `the store says ${insertion}`))) return;
      judged = gate({ ...input, insertion });
    }
    const admitted = judged.verdict === 'admit';
    steps.push(`fork ${index}: ${judged.verdict} [${judged.rule}]`);
    decided.push({ index, guest, answer, admitted, rule: judged.rule, insertion });
  };

  const start = (from: number, to: number) => {
    alive = [];
    for (let index = from; index < to; index++) {
      alive.push(index);
      void running.push(pass(forks[index] as CrowdFork, index));
    }
  };
  const running: Promise<void>[] = [];
  const half = crashAfter === null ? forks.length : Math.ceil(forks.length / 2);
  start(0, half);
  if (crashAfter !== null) {
    // Every started fork has at least its first step to take; more than are left would wait for ever.
    await scheduler.waitNext(Math.min(crashAfter, half));
    for (const index of alive) killed.add(index);
    steps.push('kill -9, restart');
    start(half, forks.length);
  }
  await scheduler.waitIdle();
  await Promise.all(running);
  return { decided, steps };
}
