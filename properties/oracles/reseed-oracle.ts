/**
 * When may a fork serve (findings.md F6, Reference)? Judges a response by what it was made of, name by name,
 * not by reading its line: no JSON parser is shared with what it judges, nor is the proof.
 */
import { modelProof } from '../models/reseed-guest.ts';
import type { ConfigOf, InputOf } from '../protocol/decision.ts';
import type { reseedGate } from '../protocol/reseed-gate.ts';

export type GateCase = InputOf<typeof reseedGate>;

/** A response before it is a line. */
export interface MadeResponse {
  /** Names and values in the order of the line; a name may stand twice. */
  readonly fields: readonly (readonly [name: string, value: string | number | boolean | null])[];
  /** What else was done to the line; `whole` is one JSON object in up to 4,096 octets. */
  readonly line: 'whole' | 'broken' | 'too long';
}

export type RequiredOfGate =
  | { readonly verdict: 'refuse'; readonly why: string }
  | { readonly verdict: 'admit'; readonly why: string }
  /** The store must hold these first: of the sample and, if there is one, of the host-side witness. */
  | { readonly verdict: 'insert'; readonly holds: readonly string[]; readonly why: string };

const hex64 = /^[0-9a-f]{64}$/;
const isHex64 = (value: unknown): value is string => typeof value === 'string' && hex64.test(value);
const contract = ['ok', 'reseeded_rng', 'generation', 'sample', 'proof', 'applied_clock_step_nanos'];

/** Why the response by itself admits nobody; null when it is what was asked for. */
function fault(request: GateCase['request'], { fields, line }: MadeResponse): string | null {
  if (line !== 'whole') return `the line is ${line}`;
  const names = fields.map(([name]) => name);
  if (new Set(names).size < names.length) return 'a field stands twice';
  if (names.some((name) => !contract.includes(name))) return 'a field that the contract does not know';
  const value = (name: string) => fields.find(([own]) => own === name)?.[1];
  if (value('ok') !== true || value('reseeded_rng') !== true) return 'it reports no success';
  if (names.includes('generation') && value('generation') !== request.generation) {
    return 'of another generation';
  }
  const sample = value('sample');
  if (!isHex64(sample)) return 'the sample is no SHA-256';
  if (value('proof') !== modelProof(sample, request)) return 'the proof does not match';
  const step = value('applied_clock_step_nanos');
  if (step !== undefined && !(typeof step === 'number' && Number.isInteger(step))) return 'no clock step';
  return null;
}

/**
 * @param input the case; its line is not looked at
 * @param made what the line was made of; null: none came
 */
export function requiredOfGate(
  config: ConfigOf<typeof reseedGate>,
  input: Omit<GateCase, 'response'>,
  made: MadeResponse | null,
): RequiredOfGate {
  const { request, elapsedMs, witness, insertion } = input;
  const refuse = (why: string): RequiredOfGate => ({ verdict: 'refuse', why });
  const { generation, nonce } = request;
  if (!(Number.isInteger(generation) && generation >= 1 && generation <= 2 ** 53 - 1 && isHex64(nonce))) {
    return refuse('nothing valid was asked');
  }
  if (made === null) return refuse('missing');
  if (!(elapsedMs <= config.deadlineMs)) return refuse('late');
  const wrong = fault(request, made);
  if (wrong !== null) return refuse(wrong);
  if (witness === null && config.requireWitness) return refuse('no host-side witness');
  if (witness !== null && !(witness.changed && isHex64(witness.digest))) {
    return refuse('the host-side witness shows no divergence');
  }
  const sample = String(made.fields.find(([name]) => name === 'sample')?.[1]);
  const holds = witness === null ? [sample] : [sample, witness.digest];
  if (insertion === null) return { verdict: 'insert', holds, why: 'not admitted before it is remembered' };
  if (insertion === 'inserted') return { verdict: 'admit', why: 'proved, and seen for the first time' };
  return refuse(`the store says ${insertion}`);
}
