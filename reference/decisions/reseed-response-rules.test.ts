/** The guest's line: one flat object, each field once, of its type; each refusal by its rule. */
import { describe, expect, test } from 'vitest';
import { maxResponseLineOctets } from '#reference/contract/reseed.ts';
import { readResponse } from './reseed-response.ts';

const sample = '3c'.repeat(32);
const proof = '5a'.repeat(32);
const fields = { ok: true, reseeded_rng: true, sample, proof };
const line = (changes: object = {}) => JSON.stringify({ ...fields, ...changes });
/** The line with white space before it, so that it is so long. */
const padded = (length: number) => line().padStart(length);

describe('a line of the guest', () => {
  test.each<[string, string]>([
    ['with a generation', line({ generation: 7 })],
    ['without a generation', line()],
    ['with a clock step', line({ applied_clock_step_nanos: -5 })],
    ['with the least clock step', line({ applied_clock_step_nanos: -(2 ** 63) })],
    [
      'with white space round its names',
      ` {"ok" : true,\t"reseeded_rng":true,"sample":"${sample}","proof" :"${proof}"} `,
    ],
    ['of the greatest length', padded(maxResponseLineOctets)],
  ])('is always read %s', (_, text) => {
    expect(readResponse(text)).toMatchObject({ sample, proof });
  });

  test('is always read with its generation, or undefined', () => {
    expect(readResponse(line({ generation: 7 }))).toEqual({ sample, proof, generation: 7 });
    expect(readResponse(line())).toEqual({ sample, proof, generation: undefined });
  });

  test.each<[string, string]>([
    ['line is too long', padded(maxResponseLineOctets + 1)],
    ['not JSON', ''],
    ['not JSON', line().slice(0, -1)],
    ['not a JSON object', 'null'],
    ['not a JSON object', '[]'],
    ['not a JSON object', '"text"'],
    ['not a JSON object', '7'],
    ['a field is no scalar', line({ sample: [sample] })],
    ['a field is no scalar', line({ more: {} })],
    ['unknown field', line({ more: null })],
    ['a field occurs twice', `{"ok":false,${line().slice(1)}`],
    ['a field occurs twice', `{"ok" : false,${line().slice(1)}`],
    ['a field occurs twice', `{"o\\u006b":false,${line().slice(1)}`],
    ['ok is not true', line({ ok: false })],
    ['ok is not true', line({ ok: 'true' })],
    ['ok is not true', line({ ok: undefined })],
    ['reseeded_rng is not true', line({ reseeded_rng: false })],
    ['reseeded_rng is not true', line({ reseeded_rng: 1 })],
    ['unknown field', line({ error: 'none' })],
    ['generation is no generation', line({ generation: 0 })],
    ['generation is no generation', line({ generation: null })],
    ['generation is no generation', line({ generation: '7' })],
    ['sample is not 64 lower-case hex digits', line({ sample: sample.toUpperCase() })],
    ['sample is not 64 lower-case hex digits', line({ sample: undefined })],
    ['proof is not 64 lower-case hex digits', line({ proof: `${proof}0` })],
    ['proof is not 64 lower-case hex digits', line({ proof: `0${proof}` })],
    ['applied_clock_step_nanos is no int64', line({ applied_clock_step_nanos: 1.5 })],
    ['applied_clock_step_nanos is no int64', line({ applied_clock_step_nanos: '5' })],
    ['applied_clock_step_nanos is no int64', line({ applied_clock_step_nanos: null })],
    ['applied_clock_step_nanos is no int64', line({ applied_clock_step_nanos: 2 ** 64 })],
  ])('is always refused by name: %s, %j', (rule, text) => {
    expect(readResponse(text)).toBe(rule);
  });

  test('never counts a colon within a text as a second field', () => {
    // A field that is unknown, but occurs once: what is refused is its name, not its text.
    expect(readResponse(line({ note: 'ok": true, "ok' }))).toBe('unknown field');
    expect(readResponse(line({ note: '\\"ok\\":' }))).toBe('unknown field');
    // Nor what stands between two texts for a text of its own.
    expect(readResponse(line({ '\\a': '\\,,', ':\\': ':' }))).toBe('unknown field');
  });
});
