/**
 * The checker's world and the ClaimWorld never part: every step of a random run, done in both, leads to the
 * same state. And renaming claims, pods and controllers never makes a difference.
 */
import { describe, expect, test } from 'vitest';
import { memoryAtStart, stepClaim } from '#reference/decisions/claim-step/claim-step.ts';
import { loadSubject } from '../../subjects/load-subject.ts';
import { Canon } from './canon.ts';
import { Replay } from './replay.ts';
import { type Scope, scopeOf } from './scope.ts';
import { type Offered, Steps } from './steps.ts';
import type { StepClaim } from './thinking.ts';
import { CheckedWorld } from './world.ts';

const subject = await loadSubject('reference', ['claim-step']);
const step: StepClaim = (config, memory, event) => {
  const { state, actions, rule } = stepClaim(
    config,
    memory as Parameters<typeof stepClaim>[1],
    event as Parameters<typeof stepClaim>[2],
  );
  return { state, actions: actions as ReturnType<StepClaim>['actions'], rule };
};

const everything: Partial<Scope> = { losses: 2, deletions: 2, annotations: 1, deaths: 1, timePasses: true };
const scopes: readonly Scope[] = [
  scopeOf({ name: 'one claim', crashes: 2, lags: 2, replacements: 1, ...everything }),
  scopeOf({ name: 'two claims', claims: 2, crashes: 2, lags: 2, replacements: 1, ...everything }),
  scopeOf({ name: 'two claims, quiet', claims: 2, maxAttempts: 5, crashes: 1, losses: 1 }),
  scopeOf({ name: 'odd husks', husks: ['forgetful', 'refusing'], crashes: 1, losses: 1 }),
  scopeOf({ name: 'same name', claims: 2, sameName: true, deletions: 2, lags: 2, crashes: 1 }),
];

/** Park and Miller: runs that can be run again. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 48_271) % 0x7fffffff;
    return state % sides;
  };
}

const labelOf = ({ kind, controller, claim, pod, fate, captures, deed }: Offered) =>
  [kind, controller, claim, pod, fate, captures, kind === 'thinks' ? '' : deed].join(' ');

interface Choice {
  readonly offered: Offered;
  readonly states: Uint16Array[];
}

/** What can be done, with every state that it can lead to. */
function choices(steps: Steps, state: Uint16Array): Choice[] {
  const found = new Map<string, Choice>();
  steps.expand(state, () => {
    const label = labelOf(steps.offered);
    const choice = found.get(label);
    if (choice === undefined)
      found.set(label, { offered: { ...steps.offered }, states: [steps.next.slice()] });
    else choice.states.push(steps.next.slice());
  });
  return [...found.values()];
}

/** Late actions are a bag. */
function sorted(world: CheckedWorld, state: Uint16Array): string {
  const { afloat } = world.layout;
  return [...state.subarray(0, afloat), ...[...state.subarray(afloat)].sort((a, b) => b - a)].join();
}

function differences(world: CheckedWorld, expected: Uint16Array, found: Uint16Array): string {
  const rows = [...expected].flatMap((number, word) =>
    number === found[word]
      ? []
      : [
          `${word}: checker ${world.lexicon.textOf(number)}\n    world ${world.lexicon.textOf(found[word] ?? 0)}`,
        ],
  );
  return rows.join('\n');
}

function run(scope: Scope, seed: number, length: number, checked = step): string | null {
  const world = new CheckedWorld(scope, checked, memoryAtStart);
  const steps = new Steps(world);
  const replay = new Replay(world, subject);
  const roll = dice(seed);
  let state = world.initial();
  const told: string[] = [];
  for (let count = 0; count < length; count++) {
    const all = choices(steps, state);
    // Faults are rare, or nothing ever comes of anything.
    const work = all.filter(({ offered }) => ['thinks', 'arrives'].includes(offered.kind));
    const from = work.length > 0 && roll(5) > 0 ? work : all;
    const choice = from[roll(from.length)];
    if (choice === undefined) return null;
    told.push(labelOf(choice.offered));
    replay.take(choice.offered, choice.states[0] as Uint16Array);
    const reached = replay.read(choice.states[0] as Uint16Array);
    // In another order of the pods the same thought may change nothing, which is not offered.
    const nothing = choice.offered.kind === 'thinks' && choice.offered.captures === 0 ? [state] : [];
    const match = [...choice.states, ...nothing].find((one) => sorted(world, one) === sorted(world, reached));
    if (match === undefined) {
      const how = differences(world, choice.states[0] as Uint16Array, reached);
      return `seed ${seed}, after\n${told.join('\n')}\n${how}`;
    }
    state = match;
  }
  return null;
}

describe('the checker’s world', () => {
  test.each(scopes)('never parts from the ClaimWorld: $name', (scope) => {
    for (let seed = 1; seed <= 30; seed++) expect(run(scope, seed, 90)).toBeNull();
  });

  test('parts from it when the two run different code, so that the comparison can fail', () => {
    const hasty: StepClaim = (config, memory, event) => step({ ...config, maxAttempts: 1 }, memory, event);
    const parted = Array.from({ length: 30 }, (_, seed) => run(scopes[0] as Scope, seed + 1, 90, hasty));
    expect(parted.some((how) => how !== null)).toBe(true);
  });

  test.each(scopes)('never depends on names: $name', (scope) => {
    const world = new CheckedWorld(scope, step, memoryAtStart);
    const steps = new Steps(world);
    const canon = new Canon(world);
    const bunch = (state: Uint16Array) => {
      canon.of(state);
      return canon.result.join();
    };
    const roll = dice(7);
    let state = world.initial();
    for (let count = 0; count < 300; count++) {
      const nexts = choices(steps, state).flatMap(({ states }) => states);
      canon.of(state);
      const images = choices(steps, canon.result.slice()).flatMap(({ states }) => states);
      expect(new Set(images.map(bunch))).toEqual(new Set(nexts.map(bunch)));
      state = nexts[roll(nexts.length)] ?? world.initial();
    }
  });
});
