/**
 * Forks as the gate meets them: an honest guest and the zoo of liars, each with what it answers, when, and
 * what the VMM reads of its generator. Each says why it may not pass, or null.
 */
import { hash } from 'node:crypto';
import {
  type Asked,
  honestFields,
  honestLine,
  type Malformation,
  malformations,
  modelProof,
  type ProofForm,
} from './reseed-guest.ts';

export type Guest =
  | { readonly kind: 'honest' }
  | { readonly kind: 'silent' }
  /** The honest line, this long after the deadline. */
  | { readonly kind: 'slow'; readonly lateMs: number }
  | { readonly kind: 'malformed'; readonly how: Malformation }
  /** The two booleans alone, as agents before the proof send them. */
  | { readonly kind: 'lying boolean' }
  | { readonly kind: 'wrong proof'; readonly form: Exclude<ProofForm, 'as specified'> }
  /** Answers for another generation, so much higher or lower: `field` names it, `proof` binds it. */
  | { readonly kind: 'stale'; readonly by: number; readonly field: boolean; readonly proof: boolean }
  /** Sends again, octet for octet, what the first fork sent. */
  | { readonly kind: 'replaying' }
  /** The first fork's sample under a proof of its own. */
  | { readonly kind: "sibling's sample" }
  /** RNDADDENTROPY alone: the generator is the snapshot's still, the sample is drawn from it. */
  | { readonly kind: 'credited only' }
  /** RNDRESEEDCRNG alone under a deterministic clock. */
  | { readonly kind: 'reseed only' }
  /** The same, and the sample is invented. */
  | { readonly kind: 'reseed only, inventing' }
  /** Nothing done; the nonce is mixed into the sample so that it never collides. */
  | { readonly kind: 'mixing' }
  /** Nothing done; the sample is invented. */
  | { readonly kind: 'inventing' }
  /** Honest, but the VMM could not read its generator. */
  | { readonly kind: 'unread' };

export interface Answer {
  readonly line: string | null;
  readonly elapsedMs: number;
  readonly witness: { readonly changed: boolean; readonly digest: string } | null;
  /** What shows of the generator: two forks that have one of these in common may not both pass. */
  readonly marks: readonly string[];
  /** Why this fork may not pass, whatever the others do; null: nothing wrong by itself. */
  readonly wrong: string | null;
}

export interface ForkContext {
  readonly index: number;
  readonly asked: Asked;
  /** What the first fork was asked: its honest line is what replays and steals use. */
  readonly first: Asked;
  readonly deadlineMs: number;
  readonly elapsedMs: number;
  /** The VMM reads generators, and the gate requires it. */
  readonly hostWitness: boolean;
}

const templateSample = hash('sha256', 'drawn from the generator of the snapshot');
const reseededAlike = hash('sha256', 'drawn after a reseed that mixed in no seed');
const firstSample = sampleOfFork(0);

function sampleOfFork(index: number): string {
  return hash('sha256', `drawn after the reseed of fork ${index}`);
}

export function answerOf(guest: Guest, context: ForkContext): Answer {
  const { index, asked, first, deadlineMs, elapsedMs, hostWitness } = context;
  const own = sampleOfFork(index);
  const digest = (generator: string) => hash('sha256', `key of ${generator}`);
  const reseeded = hostWitness ? { changed: true, digest: digest(own) } : null;
  const untouched = hostWitness ? { changed: false, digest: digest('the snapshot') } : null;
  const unchanged = hostWitness ? 'the VMM reads the generator of the snapshot' : null;
  const marks = (sample: string, generator: string) => (hostWitness ? [sample, digest(generator)] : [sample]);
  const base = { elapsedMs, witness: reseeded, marks: marks(own, own), wrong: null };
  const honest = honestLine(own, asked);
  switch (guest.kind) {
    case 'honest':
      return { ...base, line: honest };
    case 'silent':
      return { ...base, line: null, wrong: 'no response' };
    case 'slow':
      return { ...base, line: honest, elapsedMs: deadlineMs + guest.lateMs, wrong: 'late' };
    case 'malformed':
      return { ...base, line: malformations[guest.how](honest), wrong: `malformed: ${guest.how}` };
    case 'lying boolean':
      return { ...base, line: '{"ok":true,"reseeded_rng":true}', marks: [], wrong: 'no sample, no proof' };
    case 'wrong proof': {
      const proof = modelProof(own, asked, guest.form);
      return { ...base, line: JSON.stringify({ ...honestFields(own, asked), proof }), wrong: guest.form };
    }
    case 'stale':
      return { ...base, line: staleLine(own, asked, guest), wrong: 'of another generation' };
    case 'replaying':
      // The first fork may send its own line.
      return index === 0
        ? { ...base, line: honest }
        : { ...base, line: honestLine(firstSample, first), wrong: 'replayed' };
    case "sibling's sample":
      return { ...base, line: honestLine(firstSample, asked), marks: marks(firstSample, own) };
    case 'credited only': {
      const line = honestLine(templateSample, asked);
      return {
        elapsedMs,
        line,
        witness: untouched,
        marks: marks(templateSample, 'the snapshot'),
        wrong: unchanged,
      };
    }
    case 'reseed only':
    case 'reseed only, inventing': {
      const sample =
        guest.kind === 'reseed only' ? reseededAlike : hash('sha256', `invented by fork ${index}`);
      const witness = hostWitness ? { changed: true, digest: digest(reseededAlike) } : null;
      return { ...base, line: honestLine(sample, asked), witness, marks: marks(sample, reseededAlike) };
    }
    case 'mixing': {
      const mixed = hash('sha256', `${templateSample}${asked.nonce}`);
      return { ...base, line: honestLine(mixed, asked), witness: untouched, wrong: unchanged };
    }
    case 'inventing': {
      const invented = hash('sha256', `invented by fork ${index}`);
      return { ...base, line: honestLine(invented, asked), witness: untouched, wrong: unchanged };
    }
    case 'unread':
      return {
        ...base,
        line: honest,
        witness: null,
        wrong: hostWitness ? 'the VMM could not read it' : null,
      };
  }
}

function staleLine(sample: string, asked: Asked, { by, field, proof }: Extract<Guest, { kind: 'stale' }>) {
  const higher = asked.generation + by;
  const generation = higher >= 1 && higher <= Number.MAX_SAFE_INTEGER ? higher : asked.generation - by;
  const other = { generation, nonce: asked.nonce };
  const fields = honestFields(sample, asked);
  return JSON.stringify({
    ...fields,
    ...(field ? { generation: other.generation } : {}),
    ...(proof ? { proof: modelProof(sample, other) } : {}),
  });
}
