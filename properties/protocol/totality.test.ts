/**
 * Every decision of the reference is total: whatever JSON its schema accepts, there is a verdict, within
 * bounded time. Real cases are recorded from the claims' own runs; hostile JSON is put into every place of
 * them.
 */
import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  anyJson,
  largeHostile,
  type Path,
  placesOf,
  put,
  smallHostile,
} from '../arbitraries/hostile-json.ts';
import { listClaimIds, loadClaims } from '../matrix/catalogue.ts';
import { loadSubject, SubjectFailure } from '../subjects/load-subject.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Decision } from './decision.ts';
import { type DecisionName, decisions } from './decisions.ts';

const seed = 20_261_125;
const names = Object.keys(decisions) as DecisionName[];
const reference = await loadSubject('reference', names);

interface Case {
  readonly config: unknown;
  readonly input: unknown;
}

const mostCases = 30;
const mostPlaces = 150;
const longestMs = 5_000;

/** Places in a life that few samples come to. */
const { config, input: start } = decisions['claim-step'].example;
const fork = { ...start.event.owner, kind: 'SandboxFork', name: 'fork', uid: 'uid-fork' };
const pod = { namespace: 'team-a', name: 'pool-husk-0', uid: 'uid-husk-0' };
const fixed: Partial<Record<DecisionName, readonly Case[]>> = {
  'claim-step': [
    {
      config,
      input: {
        ...start,
        event: {
          ...start.event,
          owner: fork,
          object: {
            metadata: {
              namespace: 'team-a',
              name: 'fork',
              uid: 'uid-fork',
              resourceVersion: '7',
              finalizers: ['mitos.run/husk'],
            },
            spec: { sourceRef: 'claim', replicas: 2 },
            status: { source: { claim: 'uid-claim', pod }, attempts: 1 },
          },
        },
      },
    },
  ],
};

/** What the reference was asked while the claims were judged on it. */
const recorded = await record();

async function record(): Promise<ReadonlyMap<DecisionName, readonly Case[]>> {
  const asked = new Map<DecisionName, Case[]>(names.map((name) => [name, []]));
  const recorder: Subject = {
    name: 'reference',
    decide: (name, config) => {
      const bound = reference.decide(name, config);
      return (input) => {
        // Before it is decided: a state is changed in place.
        asked.get(name)?.push({ config, input: JSON.parse(JSON.stringify(input)) as unknown });
        return bound(input);
      };
    },
  };
  for (const claim of await loadClaims(await listClaimIds())) {
    claim.control(recorder);
    for (const sample of fc.sample(claim.arbitrary({}), { seed, numRuns: 2 })) {
      await claim.judge(recorder, sample);
    }
  }
  const chosen = new Map<DecisionName, readonly Case[]>();
  for (const [name, all] of asked) {
    const { config, input } = (decisions[name] as Decision).example;
    const step = Math.max(1, all.length / mostCases);
    const spread = all.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
    chosen.set(name, [{ config, input }, ...(fixed[name] ?? []), ...spread]);
  }
  return chosen;
}

interface Tally {
  judged: number;
  refused: number;
  longestMs: number;
  readonly thrown: string[];
}

function prober(name: DecisionName) {
  const accepts = new Ajv({ strict: false }).compile((decisions[name] as Decision).input);
  const tally: Tally = { judged: 0, refused: 0, longestMs: 0, thrown: [] };
  const probe = ({ config, input }: Case, path: Path, value: unknown): void => {
    const hostile = put(input, path, value);
    if (!accepts(hostile)) {
      tally.refused += 1;
      return;
    }
    const before = performance.now();
    try {
      const decide = reference.decide(name, config as never) as (given: unknown) => unknown;
      decide(hostile);
    } catch (error) {
      if (!(error instanceof SubjectFailure)) throw error;
      tally.thrown.push(
        `${path.join('.')} = ${JSON.stringify(value)?.slice(0, 80)}: ${error.message.slice(0, 200)}`,
      );
    }
    tally.judged += 1;
    tally.longestMs = Math.max(tally.longestMs, performance.now() - before);
  };
  return { tally, probe };
}

describe.each(names)('%s', (name) => {
  const cases = recorded.get(name) ?? [];

  test('was asked by claims: real cases are there', () => {
    expect(cases.length).toBeGreaterThan(1);
  });

  test('always decides, whatever small value stands in whatever place', () => {
    const { tally, probe } = prober(name);
    for (const one of cases) {
      for (const path of placesOf(one.input, mostPlaces)) {
        for (const value of smallHostile) probe(one, path, value);
      }
    }
    expect(tally.thrown.slice(0, 20)).toEqual([]);
    expect(tally.judged).toBeGreaterThan(50);
    expect(tally.refused).toBeGreaterThan(50);
  });

  test('always decides in bounded time, whatever large value stands in whatever place', () => {
    const { tally, probe } = prober(name);
    for (const one of cases.slice(0, 3)) {
      for (const path of placesOf(one.input, mostPlaces / 3)) {
        for (const value of largeHostile) probe(one, path, value);
      }
    }
    expect(tally.thrown.slice(0, 20)).toEqual([]);
    expect(tally.longestMs).toBeLessThan(longestMs);
  });

  test('always decides, whatever stands in several places at once', () => {
    const { tally, probe } = prober(name);
    const changes = fc.array(fc.tuple(fc.nat(), anyJson), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...cases), changes, (one, several) => {
        const places = placesOf(one.input, mostPlaces);
        const [[last, value], ...before] = several as [[number, unknown], ...[number, unknown][]];
        const input = before.reduce(
          (changed, [at, other]) => put(changed, places[at % places.length] ?? [], other),
          one.input,
        );
        probe({ ...one, input }, places[last % places.length] ?? [], value);
      }),
      { seed, numRuns: 2_000 },
    );
    expect(tally.thrown.slice(0, 20)).toEqual([]);
    expect(tally.judged).toBeGreaterThan(0);
  });
});

test('nothing that was put anywhere is left in a prototype', () => {
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});
