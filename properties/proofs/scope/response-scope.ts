/**
 * The finite set of responses for which the gate is proved: every combination of a few values of each
 * field, some right and some wrong, and of a few ways to write the line.
 */
import { hash } from 'node:crypto';
import { honestLine, malformationNames, malformations, modelProof } from '../../models/reseed-guest.ts';
import type { GateCase, MadeResponse } from '../../oracles/reseed-oracle.ts';
import { combinations } from './combinations.ts';

type Value = MadeResponse['fields'][number][1];
type Field = readonly [name: string, value: Value];

/** One value of one field or one way to write the line; the first of each list is right. */
interface Choice {
  readonly says: string;
  readonly field?: Field;
  /** Done to the honest line. */
  readonly write?: (line: string) => string;
  readonly line?: MadeResponse['line'];
  /** A field that stands before all others. */
  readonly before?: Field;
}

export interface ScopedResponse {
  readonly text: string | null;
  readonly made: MadeResponse | null;
  /** What is wrong of it, in words. */
  readonly faults: readonly string[];
}

const sample = hash('sha256', 'drawn by this fork');
const otherSample = hash('sha256', 'drawn by its sibling');
const maxLineOctets = 4096;

const as = (says: string, name: string, value: Value): Choice => ({ says, field: [name, value] });
const without = (name: string): Choice => ({ says: `no ${name}` });

/** For each field the values that it takes, given what was asked. */
function choices(asked: GateCase['request']): readonly (readonly Choice[])[] {
  const proof = (says: string, value: string) => as(says, 'proof', value);
  return [
    [as('ok', 'ok', true), as('ok is false', 'ok', false), as('ok is "true"', 'ok', 'true')],
    [
      as('reseeded', 'reseeded_rng', true),
      as('reseeded_rng is false', 'reseeded_rng', false),
      as('reseeded_rng is 1', 'reseeded_rng', 1),
    ],
    [
      as('its generation', 'generation', asked.generation),
      without('generation'),
      as('another generation', 'generation', asked.generation + 1),
      as('its generation as text', 'generation', String(asked.generation)),
    ],
    [
      as('its sample', 'sample', sample),
      as('its sample in capitals', 'sample', sample.toUpperCase()),
      as('a sample of 63 digits', 'sample', sample.slice(1)),
      without('sample'),
    ],
    [
      proof('its proof', modelProof(sample, asked)),
      proof('the proof of another sample', modelProof(otherSample, asked)),
      proof(
        'the proof of another generation',
        modelProof(sample, { ...asked, generation: asked.generation + 1 }),
      ),
      proof('the proof of another nonce', modelProof(sample, { ...asked, nonce: 'bb'.repeat(32) })),
      without('proof'),
    ],
    [
      without('clock step'),
      as('a clock step', 'applied_clock_step_nanos', -3_600_000_000_000),
      as('a clock step as text', 'applied_clock_step_nanos', '0'),
    ],
    [
      { says: 'written as it is', write: (line) => line },
      { says: 'ok stands twice, first false', before: ['ok', false] },
      { says: 'an unknown field', before: ['admit', true] },
      { says: 'cut off', write: (line) => line.slice(0, -1), line: 'broken' },
      { says: '4096 octets', write: (line) => line.padEnd(maxLineOctets) },
      { says: '4097 octets', write: (line) => line.padEnd(maxLineOctets + 1), line: 'too long' },
    ],
  ];
}

/** The scope in words, counted. */
export function responseScope(): string {
  const names = ['ok', 'reseeded_rng', 'generation', 'sample', 'proof', 'the clock step'];
  const counts = choices({ snapshot: '', generation: 1, nonce: '' }).map((list) => list.length);
  const values = names.map((name, index) => `${counts[index]} values of ${name}`).join(', ');
  return `responses: ${values}, ${counts.at(-1)} ways to write the line; ${malformationNames.length} lines that are malformed in other ways, and none at all`;
}

function lineOf(fields: readonly Field[]): string {
  return `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
}

function madeOf(chosen: readonly Choice[]): { readonly text: string; readonly made: MadeResponse } {
  const fields = [
    ...chosen.flatMap(({ before }) => (before === undefined ? [] : [before])),
    ...chosen.flatMap(({ field }) => (field === undefined ? [] : [field])),
  ];
  const line = chosen.find((choice) => choice.line !== undefined)?.line ?? 'whole';
  const text = chosen.reduce((written, { write }) => write?.(written) ?? written, lineOf(fields));
  return { text, made: { fields, line } };
}

/**
 * Every response of the scope, then malformed ones, the missing one last.
 * @param maxFaults how many fields may be other than the first of their list
 */
export function* responses(asked: GateCase['request'], maxFaults: number): Generator<ScopedResponse> {
  for (const { chosen, faults } of combinations(choices(asked), maxFaults))
    yield { ...madeOf(chosen), faults };
  const honest = honestLine(sample, asked);
  for (const how of malformationNames) {
    yield { text: malformations[how](honest), made: { fields: [], line: 'broken' }, faults: [how] };
  }
  yield { text: null, made: null, faults: ['none came'] };
}
