/** Latency at a quarter of the load: what pins add, beside a forwarder that pins nothing. */
import { digits, median, micros, type Part } from './figures.ts';
import type { LoadResult } from './load-order.ts';
import type { RunningForwarder } from './running-forwarder.ts';

const rounds = 3;
const mostAddedMs = 0.1;

export async function latencyPart(
  forwarders: readonly RunningForwarder[],
  fullPerSecond: number,
): Promise<Part> {
  const perSecond = Math.max(100, Math.round(fullPerSecond / 4));
  const chosen = ['ours', 'ours-no-pins', 'dnsmasq'].flatMap(
    (id) => forwarders.find(({ forwarder }) => forwarder.id === id) ?? [],
  );
  const results = new Map<string, LoadResult[]>(chosen.map(({ forwarder }) => [forwarder.id, []]));
  for (let round = 0; round < rounds; round++) {
    for (const running of chosen) {
      results.get(running.forwarder.id)?.push(await running.load({ perSecond, measureMs: 2_000 }));
    }
  }
  const of = (id: string, part: (result: LoadResult) => number) => median((results.get(id) ?? []).map(part));
  const [p50, p99] = [({ p50Ms }: LoadResult) => p50Ms, ({ p99Ms }: LoadResult) => p99Ms];
  const lines = chosen.map(({ forwarder: { id, title } }) => {
    return `at ${digits(perSecond)} questions/s, ${title.trim()}: p50 ${micros(of(id, p50))}, p99 ${micros(of(id, p99))}`;
  });
  const pairs = (part: (result: LoadResult) => number) =>
    (results.get('ours') ?? []).map(
      (one, round) => part(one) - part((results.get('ours-no-pins') ?? [])[round] ?? one),
    );
  const [added50, added99] = [median(pairs(p50)), median(pairs(p99))];
  const word = added50 <= mostAddedMs ? 'met' : 'MISSED';
  lines.push(
    `bound: pins add ≤ 100 µs at p50: ${micros(added50)}, ${word}; at p99 ${micros(added99)}, the scheduler’s`,
  );
  return { measurements: [], notes: lines };
}
