/**
 * A whole check over pipes: what a program is asked, what is counted, and what is kept of a program that is
 * always wrong.
 */
import { expect, test } from 'vitest';
import { checkDecision, keptDifferences } from './check-decision.ts';

/** Drops the header and answers each case with a fixed output. */
const always = (output: object) => [
  'sed',
  '-e',
  '1d',
  '-e',
  `s/,"input".*/,"output":${JSON.stringify(output)}}/`,
];

const check = (decision: string, command: readonly string[], runs: number, answerTimeoutMs = 30_000) =>
  checkDecision({ decision, command, runs, seed: 7, answerTimeoutMs, signal: new AbortController().signal });

test('a program that refuses every address is always right about what must be blocked, and wrong about the rest', async () => {
  const { conversation, differences, otherwise, vectors, generated, processes } = await check(
    'pin-address',
    always({ verdict: 'refuse', rule: 'none' }),
    300,
  );
  expect(conversation).toMatchObject({ outcome: 'answered', answered: 300 + vectors, refused: 0 });
  expect(generated).toBe(300);
  expect(processes).toBeGreaterThan(1);
  expect(differences.every(({ expected }) => (expected as { verdict: string }).verdict === 'pin')).toBe(true);
  expect(differences).toHaveLength(otherwise.vectors + otherwise.generated);
  expect(otherwise.vectors).toBeGreaterThan(0);
  expect(otherwise.vectors).toBeLessThan(vectors);
  const sources = differences.map(({ source }) => source);
  expect(sources.indexOf('generated')).toBe(otherwise.vectors);
});

test('a program that is always wrong is counted whole and kept in part', async () => {
  const runs = keptDifferences + 2_000;
  const { differences, otherwise } = await check('pin-address', always({ verdict: 'perhaps' }), runs);
  expect(otherwise.generated).toBe(runs);
  expect(differences).toHaveLength(keptDifferences);
});

test('a program of a step decision that buffers its answers always ends as hung, at the first configuration', async () => {
  const buffering = ['awk', 'NR > 1 { all = all $0 } END { print all }'];
  const { conversation, processes } = await check('agent-step', buffering, 50, 1_000);
  expect(conversation.outcome).toBe('hung');
  expect(processes).toBe(1);
});

test('nothing further is asked after a conversation that failed', async () => {
  const { conversation, processes, differences } = await check('pin-address', ['false'], 50);
  expect(conversation).toMatchObject({ outcome: 'crashed', answered: 0 });
  expect({ processes, differences }).toEqual({ processes: 1, differences: [] });
});
