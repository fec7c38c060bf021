/**
 * reseed-gate: the guest's response and what the host knows → admit, refuse, or what the store must hold
 * first. One gate for husk, raw-forkd and sandbox-server.
 * Invariant: diverged or refused. Admits only after the store has newly inserted the sample (and the
 * host-side witness) of this fork.
 */
import { isDigest, isGeneration, isNonce, proofOf } from './reseed-proof.ts';
import { readResponse } from './reseed-response.ts';

export interface GateConfig {
  /** From sending the request to the last octet of the response. */
  readonly deadlineMs: number;
  /** Refuse a fork whose generator the VMM could not read. */
  readonly requireWitness: boolean;
}

/** What the VMM read of the fork's generator: it differs from the snapshot's, and a digest of its key. */
export interface HostWitness {
  readonly changed: boolean;
  readonly digest: string;
}

/** The store's word on all keys at once; `failed` also when it did not answer in time. */
export type Insertion = 'inserted' | 'present' | 'full' | 'failed';

export interface GateCase {
  readonly request: { readonly snapshot: string; readonly generation: number; readonly nonce: string };
  /** The line as it came, without its newline; null: none came. */
  readonly response: string | null;
  readonly elapsedMs: number;
  /** null: this engine cannot read it. */
  readonly witness: HostWitness | null;
  /** null: the store was not asked yet. */
  readonly insertion: Insertion | null;
}

export interface Insert {
  readonly snapshot: string;
  /** Inserted all or none, atomically, durably; absent before. */
  readonly keys: readonly string[];
}

export type GateVerdict =
  | { readonly verdict: 'admit' | 'refuse'; readonly rule: string }
  | { readonly verdict: 'insert'; readonly insert: Insert; readonly rule: string };

/** Rule of a refusal. */
export const withoutWitness = 'no host-side witness';

const refuse = (rule: string): GateVerdict => ({ verdict: 'refuse', rule });

/** Judges everything but the store first, then the store's answer. Total. */
export function judgeReseed(config: GateConfig, input: GateCase): GateVerdict {
  const { request, response, elapsedMs, witness, insertion } = input;
  if (!isGeneration(request.generation) || !isNonce(request.nonce))
    return refuse('the request is no request');
  if (response === null) return refuse('no response');
  if (!(elapsedMs <= config.deadlineMs)) return refuse('late');
  const read = readResponse(response);
  if (typeof read === 'string') return refuse(read);
  if (read.generation !== undefined && read.generation !== request.generation) {
    return refuse('of another generation');
  }
  if (read.proof !== proofOf(read.sample, request.generation, request.nonce)) {
    return refuse('proof does not match');
  }
  if (witness === null && config.requireWitness) return refuse(withoutWitness);
  if (witness !== null && witness.changed !== true) return refuse('host-side witness: generator unchanged');
  if (witness !== null && !isDigest(witness.digest)) return refuse('host-side witness: no digest');
  const keys = [`sample:${read.sample}`];
  if (witness !== null) keys.push(`witness:${witness.digest}`);
  switch (insertion) {
    case null:
      return { verdict: 'insert', insert: { snapshot: request.snapshot, keys }, rule: 'insert if absent' };
    case 'inserted':
      return { verdict: 'admit', rule: 'diverged: proof matches, sample never seen before' };
    case 'present':
      return refuse('seen before for this snapshot');
    case 'full':
      return refuse('store is full');
    default:
      return refuse('store failed');
  }
}
