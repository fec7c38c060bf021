/** A hostile case line costs nobody else an answer: it gets a verdict or an error, by its number. */
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { nested } from '../arbitraries/hostile-json.ts';
import { type ErasedBind, importBinds } from '../subjects/load-subject.ts';
import { answerCases, maxLineBytes, protocolVersion } from './case-lines.ts';
import type { Decision } from './decision.ts';
import { type DecisionName, decisions } from './decisions.ts';

const names = Object.keys(decisions) as DecisionName[];
const binds = await importBinds('reference', names);

async function converse(name: DecisionName, lines: readonly string[], bind = binds.get(name)) {
  const decision = decisions[name] as Decision;
  const header = JSON.stringify({ v: protocolVersion, decision: name, config: decision.example.config });
  const output = new PassThrough();
  const complaints: number[] = [];
  const input = Readable.from([`${[header, ...lines].join('\n')}\n`]);
  const [, written] = await Promise.all([
    answerCases(decision, bind as ErasedBind, input, output, (line) => complaints.push(line)).finally(() =>
      output.end(),
    ),
    text(output),
  ]);
  const answers = written
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { id: unknown; output?: unknown; error?: { code: string } });
  return { answers, complaints };
}

/** Raw JSON in place of the input, so that nothing of it goes through JSON.stringify. */
const line = (id: unknown, input: string) => `{"id":${JSON.stringify(id)},"input":${input}}`;
const deepText = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const megabyte = 1_048_576;
const labels = JSON.stringify(
  Object.fromEntries(Array.from({ length: megabyte / 64 }, (_, index) => [`label-${index}`, 'x'.repeat(48)])),
);

describe.each(names)('%s', (name) => {
  const example = JSON.stringify((decisions[name] as Decision).example.input);

  test('answers each line by its number, whatever stands for the input', async () => {
    const inputs = [
      'null',
      '7',
      '"text"',
      '[]',
      '{}',
      '{"__proto__":{}}',
      '[[[]]]',
      labels,
      `[${'null,'.repeat(100_000)}null]`,
      deepText(100_000),
    ];
    const lines = inputs.map((input, index) => line(index, input));
    const { answers, complaints } = await converse(name, [...lines, line('last', example)]);
    expect(answers.map(({ id }) => id)).toEqual([...inputs.keys(), 'last']);
    expect(answers.slice(0, -1).map(({ error }) => error?.code)).toEqual(inputs.map(() => 'bad-case'));
    expect(complaints).toEqual(inputs.map((_, index) => index + 2));
    expect(answers.at(-1)?.error).toBeUndefined();
  });

  test('answers duplicate keys once, by the last of them', async () => {
    const twice = `{"id":1,"id":2,"input":null,"input":${example}}`;
    const { answers, complaints } = await converse(name, [twice]);
    expect(answers.map(({ id, error }) => [id, error])).toEqual([[2, undefined]]);
    expect(complaints).toEqual([]);
  });

  test('refuses ids and lines that are none, and goes on', async () => {
    const bad = [
      '{',
      'null',
      '[]',
      '{"id":null}',
      '{"id":1e999,"input":{}}',
      '{"id":{"toString":1},"input":{}}',
      '\ufeff{}',
    ];
    const { answers, complaints } = await converse(name, [...bad, line('last', example)]);
    expect(answers.map(({ id }) => id)).toEqual([...bad.map(() => null), 'last']);
    expect(complaints.length).toBe(bad.length);
  });
});

describe('select-husk', () => {
  const { input } = decisions['select-husk'].example;
  const withPods = (pods: string) =>
    JSON.stringify({ ...input, pods: [] }).replace('"pods":[]', `"pods":[${pods}]`);

  test.each([
    ['1 MB of labels', `{"metadata":{"labels":${labels}}}`],
    ['null metadata', '{"metadata":null}'],
    ['numbers for strings', '{"metadata":{"uid":7,"name":7,"namespace":7}}'],
    ['duplicate keys', '{"metadata":{"uid":"a","uid":"b"},"metadata":null}'],
    [
      'lone surrogates',
      '{"metadata":{"uid":"\\ud800","name":"\\udfff","namespace":"x","resourceVersion":"1"}}',
    ],
    ['a million levels', deepText(1_000_000)],
    ['100,000 pods', Array.from({ length: 100_000 }, () => '{}').join(',')],
  ])('refuses a pod of %s with a verdict', async (_, pods) => {
    const { answers } = await converse('select-husk', [line(1, withPods(pods))]);
    expect(answers).toMatchObject([{ id: 1, output: { verdict: 'refuse', pod: null } }]);
  });
});

test('an answer that is nested too deeply to be written is an error of its line, and the next line is answered', async () => {
  const { input } = decisions['claim-step'].example;
  const echoing: ErasedBind = () => () => ({ state: nested(200_000, 'list'), actions: [], rule: 'echo' });
  const example = JSON.stringify(input);
  const { answers, complaints } = await converse('claim-step', [line(1, example), line(2, '7')], echoing);
  expect(answers.map(({ id, error }) => [id, error?.code])).toEqual([
    [1, 'case-failed'],
    [2, 'bad-case'],
  ]);
  expect(complaints).toEqual([2, 3]);
});

test('a fork whose stored children are nested deeply never ends the conversation', async () => {
  const { input } = decisions['claim-step'].example;
  const object = {
    metadata: { uid: 'uid-claim', resourceVersion: '7', finalizers: ['mitos.run/husk'] },
    spec: { replicas: 2 },
    status: { forkSnapshotTaken: 'sha256:5a', forks: ['deep', {}] },
  };
  const event = { ...input.event, live: true, owner: { ...input.event.owner, kind: 'SandboxFork' }, object };
  const deep = JSON.stringify({ state: null, event }).replace('"deep"', `{"x":${deepText(500_000)}}`);
  const { answers } = await converse('claim-step', [line(1, deep), line(2, JSON.stringify(input))]);
  expect(answers.map(({ id, error }) => [id, error?.code])).toEqual([
    [1, 'case-failed'],
    [2, undefined],
  ]);
});

test('a subject that throws at one case answers the others', async () => {
  const throwing: ErasedBind = () => (input: never) => {
    if ((input as { address: string }).address === '::') throw new TypeError('planted');
    return { verdict: 'refuse', rule: 'planted' };
  };
  const ask = (id: number, address: string) => line(id, JSON.stringify({ address }));
  const { answers, complaints } = await converse('pin-address', [ask(1, '::'), ask(2, '::1')], throwing);
  expect(answers.map(({ id, error }) => [id, error?.code])).toEqual([
    [1, 'case-failed'],
    [2, undefined],
  ]);
  expect(complaints).toEqual([2]);
});

test('a line over the bound ends the conversation with a code, not with the memory', async () => {
  await expect(converse('select-husk', ['x'.repeat(maxLineBytes + 1)])).rejects.toMatchObject({
    code: 'line-too-long',
  });
});
