/**
 * reseed-report: from what the agent did and what each call returned, the next call or the agent's reply.
 * Invariant: success is reported only when the whole seed was credited, the reseed was forced after it, and
 * the sample was drawn after both. "Credited" alone is not "diverged": RNDADDENTROPY does not rekey a
 * generator that is ready (Linux 5.18 and later).
 */
import { minSeedOctets, type NotifyForkedReply, sampleDrawOctets } from '#reference/contract/reseed.ts';
import { isGeneration, isNonce, isSeed, proofOf, sampleOf } from './reseed-proof.ts';

export interface ReseedRequest {
  readonly generation: number;
  readonly nonce: string;
  readonly seed: string;
}

/** A call that the agent makes next; octet strings in hex. */
export type GeneratorCall =
  | { readonly call: 'RNDADDENTROPY'; readonly entropyBits: number; readonly octets: string }
  | { readonly call: 'RNDRESEEDCRNG' }
  | { readonly call: 'getrandom'; readonly length: number };

/** What a call returned: ret as the kernel gives it, errno's name when it is negative. */
export interface CallResult {
  readonly call: string;
  readonly ret: number;
  readonly errno: string | null;
  /** What getrandom drew, hex. */
  readonly octets?: string;
}

export type ReportStep =
  | { readonly next: GeneratorCall; readonly rule: string }
  | { readonly reply: NotifyForkedReply; readonly rule: string };

const errnoName = /^E[A-Z0-9]{1,15}$/;

function refuse(generation: number, rule: string): ReportStep {
  return { reply: { ok: false, reseeded_rng: false, generation, error: rule }, rule };
}

function failed({ call, ret, errno }: CallResult): string {
  const why = errno?.match(errnoName)?.[0] ?? `returned ${ret}`;
  return `${call}: ${why}`;
}

/** The calls in their only order. Total: results that no such run gives are refused. */
export function reportReseed(request: ReseedRequest, results: readonly CallResult[]): ReportStep {
  const { generation, nonce, seed } = request;
  if (!isGeneration(generation)) return refuse(0, 'generation is no positive integer below 2^53');
  if (!isNonce(nonce)) return refuse(generation, 'nonce is not 32 octets');
  if (!isSeed(seed)) return refuse(generation, `seed is not ${minSeedOctets} octets or more`);
  const [credit, reseed, draw, ...more] = results;
  if (credit === undefined) {
    const next = { call: 'RNDADDENTROPY', entropyBits: seed.length * 4, octets: seed } as const;
    return { next, rule: 'credit the whole seed' };
  }
  if (credit.call !== 'RNDADDENTROPY') return refuse(generation, 'results are out of order');
  if (credit.ret !== 0) return refuse(generation, failed(credit));
  if (reseed === undefined) return { next: { call: 'RNDRESEEDCRNG' }, rule: 'force the reseed' };
  if (reseed.call !== 'RNDRESEEDCRNG') return refuse(generation, 'results are out of order');
  if (reseed.ret !== 0) return refuse(generation, failed(reseed));
  if (draw === undefined) {
    return { next: { call: 'getrandom', length: sampleDrawOctets }, rule: 'draw the sample' };
  }
  if (draw.call !== 'getrandom' || more.length > 0) return refuse(generation, 'results are out of order');
  if (draw.ret !== sampleDrawOctets) return refuse(generation, failed(draw));
  const sample = sampleOf(draw.octets);
  if (sample === null) return refuse(generation, 'getrandom: no 32 octets');
  const proof = proofOf(sample, generation, nonce);
  return {
    reply: { ok: true, reseeded_rng: true, generation, sample, proof },
    rule: 'credited, reseeded, sampled',
  };
}
