/** The same hostile messages for us and for other readers: every difference falls into a known class, or is found. */
import * as fc from 'fast-check';
import { faultOf, requiredOfGuest } from '../../../oracles/dns/guest-oracle.ts';
import { diagnose, type ReadMessage } from '../../../oracles/dns/strict-reader.ts';
import type { Codec } from '../codec.ts';
import { type FuzzCase, fuzzCase } from '../fuzz-case.ts';
import { compare } from './compare.ts';
import { classify } from './known-differences.ts';
import type { Peer, PeerReading } from './peer.ts';

export interface PeerResult {
  readonly peer: string;
  readonly version: string;
  messages: number;
  /** We read it, and so does the peer, alike. */
  alike: number;
  /** Neither reads it. */
  bothRefuse: number;
  /** By the id of the known difference. */
  readonly known: Record<string, number>;
}

export interface PeerFinding {
  readonly peer: string;
  readonly difference: string;
  /** In hex, shrunk. */
  readonly message: string;
  readonly seed: number;
  readonly path: string;
}

export interface DifferentialOutcome {
  readonly results: readonly PeerResult[];
  readonly findings: readonly PeerFinding[];
}

export interface DifferentialOptions {
  readonly seed: number;
  readonly runs: number;
  readonly deadlineMs: number;
  readonly path?: string;
  readonly signal?: AbortSignal;
  readonly onBatch?: (results: readonly PeerResult[]) => void;
}

const batchRuns = 500;
const shrinkLimitMs = 20_000;

/** The message of a case that is compared: the reply where one arrives, else the guest's; of opcode QUERY alone. */
export function messageOf({ config, guest, random, reply }: FuzzCase): Uint8Array | null {
  const coins = { id: random.id, caseBits: Buffer.from(random.caseBits, 'hex') };
  const required = reply === null ? null : requiredOfGuest(config, guest, coins);
  const octets =
    reply !== null && required?.kind === 'forward'
      ? reply.octetsFor(Uint8Array.from(required.octets))
      : guest;
  return octets.length < 12 || ((octets[2] ?? 0) & 0x78) !== 0 ? null : octets;
}

/** What we read, or why we do not, in the words of the strict reader. */
function readingOf(octets: Uint8Array): ReadMessage | string {
  const read = diagnose(octets);
  return faultOf(read, octets.length) ?? read;
}

/** null: alike, or a known difference, which is counted. */
function judge(
  codec: Codec,
  octets: Uint8Array,
  peer: string,
  reading: PeerReading,
  result: PeerResult | null,
): string | null {
  const ours = readingOf(octets);
  // The codec reads what the strict reader reads: the fuzzer's first invariant, which all of this rests on.
  if ((codec.readMessage(octets) === null) !== (typeof ours === 'string'))
    return 'the codec and its model disagree';
  const comparison = compare(ours, reading);
  if (result !== null) result.messages += 1;
  if (comparison.kind === 'same') {
    if (result !== null) result[typeof ours === 'string' ? 'bothRefuse' : 'alike'] += 1;
    return null;
  }
  const row = classify(peer, comparison, ours);
  if (row === undefined) return `${comparison.kind}: ${comparison.reason}`;
  if (result !== null) result.known[row.id] = (result.known[row.id] ?? 0) + 1;
  return null;
}

export async function differential(
  codec: Codec,
  peers: readonly Peer[],
  options: DifferentialOptions,
): Promise<DifferentialOutcome> {
  const { seed, runs, deadlineMs, path, signal, onBatch } = options;
  const results = peers.map(
    ({ name, version }): PeerResult => ({
      peer: name,
      version,
      messages: 0,
      alike: 0,
      bothRefuse: 0,
      known: {},
    }),
  );
  if (path !== undefined) return { results, findings: await shrunk(codec, peers, seed, 1, path) };
  for (let done = 0, batch = 0; done < runs && signal?.aborted !== true; batch++, done += batchRuns) {
    if (batch > 0 && performance.now() >= deadlineMs) break;
    const own = (seed + batch) | 0;
    const numRuns = Math.min(batchRuns, runs - done);
    const messages = fc.sample(fuzzCase, { seed: own, numRuns }).flatMap((input) => messageOf(input) ?? []);
    let unknown = false;
    for (const [index, peer] of peers.entries()) {
      const readings = await peer.read(messages);
      for (const [at, octets] of messages.entries()) {
        const reading = readings[at] ?? { read: false, error: 'no answer' };
        unknown = judge(codec, octets, peer.name, reading, results[index] ?? null) !== null || unknown;
      }
    }
    onBatch?.(results);
    if (unknown) return { results, findings: await shrunk(codec, peers, own, numRuns) };
  }
  return { results, findings: [] };
}

/** The same batch again, a message at a time, for a small message that shows it. */
async function shrunk(
  codec: Codec,
  peers: readonly Peer[],
  seed: number,
  numRuns: number,
  path?: string,
): Promise<PeerFinding[]> {
  const findings: PeerFinding[] = [];
  for (const peer of peers) {
    let last = { message: '', difference: '' };
    const property = fc.asyncProperty(fuzzCase, async (input) => {
      const octets = messageOf(input);
      if (octets === null) return true;
      const [reading] = await peer.read([octets]);
      const difference = judge(
        codec,
        octets,
        peer.name,
        reading ?? { read: false, error: 'no answer' },
        null,
      );
      if (difference !== null) last = { message: Buffer.from(octets).toString('hex'), difference };
      return difference === null;
    });
    const limit = { interruptAfterTimeLimit: shrinkLimitMs, markInterruptAsFailure: false };
    const replayed = path === undefined ? {} : { path };
    const details = await fc.check(property, { seed, numRuns, ...limit, ...replayed });
    if (!details.failed) continue;
    findings.push({ peer: peer.name, ...last, seed, path: details.counterexamplePath ?? '0' });
  }
  return findings;
}
