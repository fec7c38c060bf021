/**
 * Reads the guest's line as the gate may trust it: one flat JSON object, each field once, of its type.
 * Invariant: no value is coerced, and what no field of the contract is named is refused, not skipped.
 */
import { maxResponseLineOctets } from '#reference/contract/reseed.ts';
import { isDigest, isGeneration } from './reseed-proof.ts';

export interface ReseedResponse {
  readonly sample: string;
  readonly proof: string;
  /** undefined: the guest left it to the proof. */
  readonly generation: number | undefined;
}

const known: ReadonlySet<string> = new Set([
  'ok',
  'reseeded_rng',
  'generation',
  'sample',
  'proof',
  'applied_clock_step_nanos',
]);

/** int64, as far as a JSON number holds it. */
const maxClockStepNanos = 2 ** 63;

/** The response, or the rule that refuses the line. Total. */
export function readResponse(line: string): ReseedResponse | string {
  if (line.length > maxResponseLineOctets) return 'line is too long';
  const fields = readFlatObject(line);
  if (typeof fields === 'string') return fields;
  if (fields.ok !== true) return 'ok is not true';
  if (fields.reseeded_rng !== true) return 'reseeded_rng is not true';
  for (const name of Object.keys(fields)) if (!known.has(name)) return 'unknown field';
  const { generation, sample, proof, applied_clock_step_nanos: step } = fields;
  if (generation !== undefined && !isGeneration(generation)) return 'generation is no generation';
  if (!isDigest(sample)) return 'sample is not 64 lower-case hex digits';
  if (!isDigest(proof)) return 'proof is not 64 lower-case hex digits';
  if (step !== undefined && !(Number.isInteger(step) && Math.abs(step as number) <= maxClockStepNanos)) {
    return 'applied_clock_step_nanos is no int64';
  }
  return { sample, proof, generation };
}

function readFlatObject(line: string): Record<string, unknown> | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'not JSON';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a JSON object';
  const fields = value as Record<string, unknown>;
  const names = Object.keys(fields);
  for (const name of names) {
    if (typeof fields[name] === 'object' && fields[name] !== null) return 'a field is no scalar';
  }
  // JSON.parse keeps the last of two fields with one name, other readers the first: neither is the guest's
  // word.
  if (countNames(line) !== names.length) return 'a field occurs twice';
  return fields;
}

/** Field names as they stand in a flat object: the strings that a colon follows. */
function countNames(line: string): number {
  let names = 0;
  for (const [, colon] of line.matchAll(/"(?:[^"\\]|\\.)*"\s*(:)?/g)) if (colon !== undefined) names += 1;
  return names;
}
