/** What a malformed message costs, against a good one: the same load with and without one before each question. */
import { median, type Part } from './figures.ts';
import type { LoadResult } from './load-order.ts';
import type { RunningForwarder } from './running-forwarder.ts';

const rounds = 3;

export async function malformedPart(forwarders: readonly RunningForwarder[]): Promise<Part> {
  const notes: string[] = [];
  for (const id of ['ours', 'dnsmasq']) {
    const running = forwarders.find(({ forwarder }) => forwarder.id === id);
    if (running === undefined) continue;
    const [good, bad]: number[][] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const plain = await running.load({ measureMs: 1_500 });
      const mixed = await running.load({ measureMs: 1_500, malformedToo: true });
      good?.push(costMicros(plain));
      bad?.push(costMicros(mixed) - costMicros(plain));
    }
    const [one, other] = [median(good ?? []), median(bad ?? [])];
    const word = id === 'ours' ? `bound: a bad message costs no more than a good one, ours: ` : `${id}: `;
    const verdict = id === 'ours' ? (other <= one ? ', met' : ', MISSED') : '';
    notes.push(`${word}bad ${other.toFixed(1)} µs, good ${one.toFixed(1)} µs of processor time${verdict}`);
  }
  return { measurements: [], notes };
}

const costMicros = ({ processorSeconds, answered }: LoadResult) => (processorSeconds * 1e6) / answered;
