/**
 * Answers per CPU-second of the forwarder, and per second: all forwarders under the same load, in alternating rounds,
 * against the bounds of the issue.
 */
import { digits, median, type Part } from './figures.ts';
import type { LoadResult } from './load-order.ts';
import type { RunningForwarder } from './running-forwarder.ts';

const rounds = 3;

/** Ours is to be so many times as good as the peer. */
const bounds = [
  { peer: 'dnsmasq', atLeast: 2 },
  { peer: 'node', atLeast: 1.2 },
  { peer: 'dnsmasq-nftset', atLeast: 4 },
  { peer: 'published', atLeast: 50 },
] as const;
/** Pins may cost so much of the answers per CPU-second. */
const mostPinShare = 0.12;

export interface Throughput extends Part {
  /** Answers a second of ours with pins. */
  readonly perSecond: number;
}

export async function throughputPart(forwarders: readonly RunningForwarder[]): Promise<Throughput> {
  const results = new Map<string, LoadResult[]>(forwarders.map(({ forwarder }) => [forwarder.id, []]));
  for (let round = 0; round < rounds; round++) {
    for (const running of forwarders) results.get(running.forwarder.id)?.push(await running.load({}));
  }
  const perProcessor = ({ answered, processorSeconds }: LoadResult) => answered / processorSeconds;
  const perSecond = ({ answered, seconds }: LoadResult) => answered / seconds;
  const rates = new Map([...results].map(([id, all]) => [id, all.map(perProcessor)]));
  const measurements = forwarders.map(({ forwarder: { id, title } }) => {
    const own = [...(rates.get(id) ?? [])].sort((a, b) => a - b);
    return { name: title, unit: 'answers/CPU-s', perSecond: median(own), rounds: own };
  });
  const lines = forwarders.map(({ forwarder: { id, title } }) => {
    const all = results.get(id) ?? [];
    const sum = (part: (result: LoadResult) => number) => all.reduce((total, one) => total + part(one), 0);
    const shares = `lost ${sum(({ lost }) => lost)}, failed ${sum(({ failed }) => failed)}`;
    return `${title.trim()}: ${digits(median(all.map(perSecond)))} answers/s, ${shares} of ${digits(sum(({ answered }) => answered))}`;
  });
  return {
    measurements,
    notes: [...lines, ...judged(rates, results)],
    perSecond: median((results.get('ours') ?? []).map(perSecond)),
  };
}

/** Ratios are of rounds that ran one after the other: what the machine had else to do is alike in them. */
function ratio(rates: ReadonlyMap<string, readonly number[]>, one: string, other: string): number | null {
  const [ours, theirs] = [rates.get(one), rates.get(other)];
  if (ours === undefined || theirs === undefined) return null;
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

function judged(
  rates: ReadonlyMap<string, readonly number[]>,
  results: ReadonlyMap<string, readonly LoadResult[]>,
): string[] {
  const word = (isMet: boolean) => (isMet ? 'met' : 'MISSED');
  const lines = bounds.flatMap(({ peer, atLeast }) => {
    const times = ratio(rates, 'ours', peer);
    if (times === null || !Number.isFinite(times)) {
      return [
        `bound: ≥ ${atLeast}× ${peer}: not measured: ${times === null ? 'it is not there' : 'it answered nothing'}`,
      ];
    }
    return [`bound: ≥ ${atLeast}× ${peer}: ${times.toFixed(2)}×, ${word(times >= atLeast)}`];
  });
  const kept = ratio(rates, 'ours', 'ours-no-pins') ?? 0;
  const pinShare = `${((1 - kept) * 100).toFixed(1)} % of the answers per CPU-second`;
  lines.push(`bound: pins cost ≤ ${mostPinShare * 100} %: ${pinShare}, ${word(1 - kept <= mostPinShare)}`);
  const missing = (results.get('ours') ?? []).reduce((sum, { lost, failed }) => sum + lost + failed, 0);
  lines.push(`bound: nothing of ours lost: ${missing}, ${word(missing === 0)}`);
  return lines;
}
