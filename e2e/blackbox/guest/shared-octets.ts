/**
 * Whether two forks drew the same: runs of 16 octets that are in the reads of both, wherever they begin.
 * Invariant: what one fork prints twice is no random octet of it, and proves nothing; 16 random octets are the same
 * by chance in one of 2^128.
 */

/** What was read of one fork, one after the other. */
export interface Reads {
  readonly fork: number;
  readonly reads: readonly Buffer[];
}

export interface SharedRun {
  /** `fork 1, read 1, octet 0` and the same of the other. */
  readonly places: readonly [string, string];
  readonly octets: Buffer;
}

export const runOctets = 16;

/** Text of hex digits or UUIDs as the octets that it stands for; else the octets as they came. */
export function octetsOf(output: Buffer): Buffer {
  const text = output.toString('latin1');
  if (!/^[0-9a-fA-F\s:-]+$/.test(text)) return output;
  const digits = text.replaceAll(/[\s:-]/g, '');
  return digits.length % 2 === 0 ? Buffer.from(digits, 'hex') : output;
}

/** Text around what is drawn: so many octets, twice in one fork. Fewer leave half a run to chance, one in 2^64. */
const textOctets = runOctets / 2;

function* runsOf(octets: Buffer, length = runOctets): Generator<[at: number, run: string]> {
  for (let at = 0; at + length <= octets.length; at++) yield [at, octets.toString('latin1', at, at + length)];
}

/** Runs that one fork printed more than once. */
function repeated({ reads }: Reads, length = runOctets): Set<string> {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const octets of reads) {
    for (const [, run] of runsOf(octets, length)) (seen.has(run) ? again : seen).add(run);
  }
  return again;
}

/** Runs without an octet of such text: one that ends in it has too few random octets to say anything. */
function* drawnRuns(octets: Buffer, text: ReadonlySet<string>): Generator<[at: number, run: string]> {
  let drawnFrom = 0;
  for (const [at, run] of runsOf(octets, textOctets)) {
    if (text.has(run)) drawnFrom = at + textOctets;
    const start = at + textOctets - runOctets;
    if (start >= drawnFrom) yield [start, octets.toString('latin1', start, start + runOctets)];
  }
}

/** The least of what any read of the fork holds that it did not print elsewhere. */
export function freshOctets(of: Reads): number {
  const again = repeated(of);
  const counts = of.reads.map((octets) => [...runsOf(octets)].filter(([, run]) => !again.has(run)).length);
  const fewest = Math.min(...counts);
  return fewest <= 0 || counts.length === 0 ? 0 : fewest + runOctets - 1;
}

/** The longest from where the first one begins; null: they share nothing. */
export function sharedRun(one: Reads, other: Reads): SharedRun | null {
  const text = new Set([...repeated(one, textOctets), ...repeated(other, textOctets)]);
  const places = new Map<string, readonly [read: number, at: number]>();
  for (const [read, octets] of one.reads.entries()) {
    for (const [at, run] of drawnRuns(octets, text)) places.set(run, [read, at]);
  }
  for (const [read, octets] of other.reads.entries()) {
    for (const [at, run] of drawnRuns(octets, text)) {
      const [firstRead, firstAt] = places.get(run) ?? [];
      if (firstRead === undefined || firstAt === undefined) continue;
      const first = one.reads[firstRead] as Buffer;
      return {
        places: [placeOf(one.fork, firstRead, firstAt), placeOf(other.fork, read, at)],
        octets: commonBeginning(first.subarray(firstAt), octets.subarray(at)),
      };
    }
  }
  return null;
}

const placeOf = (fork: number, read: number, at: number) => `fork ${fork}, read ${read + 1}, octet ${at}`;

function commonBeginning(one: Buffer, other: Buffer): Buffer {
  let length = 0;
  while (length < Math.min(one.length, other.length) && one[length] === other[length]) length += 1;
  return one.subarray(0, length);
}
