/** The subject protocol: every line gets its answer, and every bad line its reason. */
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { ErasedBind } from '../subjects/load-subject.ts';
import { answerCases, maxLineBytes, protocolVersion, readLineBatches } from './case-lines.ts';
import { pinAddress } from './pin-address.ts';

const config = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };
const header = JSON.stringify({ v: protocolVersion, decision: 'pin-address', config });
const bind: ErasedBind = () =>
  ((input: { address: string }) => ({ verdict: 'refuse', rule: `saw ${input.address}` })) as (
    input: never,
  ) => unknown;

async function converse(lines: readonly string[]) {
  const output = new PassThrough();
  const complaints: string[] = [];
  const [summary, written] = await Promise.all([
    answerCases(pinAddress, bind, Readable.from([lines.join('\n')]), output, (line, message) => {
      complaints.push(`${line}: ${message}`);
    }).finally(() => output.end()),
    text(output),
  ]);
  const answers = written
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { summary, answers, complaints };
}

const ask = (id: unknown, address: unknown) => JSON.stringify({ id, input: { address } });

describe('the subject protocol', () => {
  test('always answers every case once, with its id and rule', async () => {
    const { summary, answers } = await converse([header, ask(1, '::1'), '', ask('b', '10.0.0.1')]);
    expect(summary).toEqual({ answered: 2, refused: 0 });
    expect(answers).toEqual([
      { id: 1, output: { verdict: 'refuse', rule: 'saw ::1' }, rule: 'saw ::1' },
      { id: 'b', output: { verdict: 'refuse', rule: 'saw 10.0.0.1' }, rule: 'saw 10.0.0.1' },
    ]);
  });

  test('always answers what has come in before it waits for more', async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    const whole = answerCases(pinAddress, bind, input, output, () => undefined);
    input.write(`${header}\n${ask(1, '::1')}\n`);
    const [first] = (await once(output, 'data')) as [Buffer];
    expect(JSON.parse(first.toString())).toMatchObject({ id: 1 });
    input.end();
    expect(await whole).toEqual({ answered: 1, refused: 0 });
  });

  test('refuses a malformed case by its line and goes on', async () => {
    const { summary, answers, complaints } = await converse([
      header,
      '{',
      ask(1.5, 'x'),
      ask(2, 7),
      ask(3, '::'),
    ]);
    expect(summary).toEqual({ answered: 1, refused: 3 });
    expect(complaints.map((complaint) => complaint.split(':')[0])).toEqual(['2', '3', '4']);
    expect(answers.map(({ id, error }) => [id, error !== undefined])).toEqual([
      [null, true],
      [null, true],
      [2, true],
      [3, false],
    ]);
  });

  test.each([
    ['nothing', []],
    ['no JSON', ['hello']],
    ['another version', [JSON.stringify({ v: 2, decision: 'pin-address', config })]],
    ['another decision', [JSON.stringify({ v: 1, decision: 'dns-query', config })]],
    [
      'a config that the schema refuses',
      [JSON.stringify({ v: 1, decision: 'pin-address', config: { denyCIDRs: 7 } })],
    ],
  ])('refuses a header that is %s, and shows one that works', async (_, lines) => {
    await expect(converse(lines)).rejects.toMatchObject({
      code: 'bad-header',
      remediation: expect.stringContaining('"decision":"pin-address"'),
    });
  });

  test('refuses a line without end before it fills the memory', async () => {
    const endless = Readable.from(
      (function* () {
        for (let sent = 0; sent < maxLineBytes * 4; sent += 65_536) yield 'x'.repeat(65_536);
      })(),
    );
    const lines: string[] = [];
    const reading = (async () => {
      for await (const batch of readLineBatches(endless)) lines.push(...batch);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'line-too-long' });
    expect(lines).toEqual([]);
  });

  test('never splits a character that spans two chunks', async () => {
    const bytes = Buffer.from('größe\nende');
    const chunks = Readable.from([...bytes].map((byte) => Buffer.from([byte])));
    const lines: string[] = [];
    for await (const batch of readLineBatches(chunks)) lines.push(...batch);
    expect(lines).toEqual(['größe', 'ende']);
  });
});
