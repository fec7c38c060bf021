/**
 * One-line mistakes of the DNS proxy that only the wire shows: in who is heard, what is awaited and what is bounded.
 * Attacks name them (`falsifiedBy` in e2e/attacks/dns-*.ts); at tier decision nothing would notice.
 */
import type { Mutant } from './mutant.ts';

const proxy = 'reference/dnsproxy/';

export const mutants: readonly Mutant[] = [
  {
    id: 'stranger-ends-the-wait',
    mistake: 'a reply that no query waits for ends every wait',
    file: `${proxy}core/exchanges.ts`,
    find: "counts.add('replies', view.length < headerOctets ? 'shorter than a header' : 'no query waits for it');",
    replace: "for (const open of this.#byKey.values()) this.#end(open, null, 'no query waits for it');",
    killedBy: 'F1.source',
    tier: 'kernel',
  },
  {
    id: 'clients-unbounded',
    mistake: 'one client may have as many questions under way as all together',
    file: `${proxy}core/limits.ts`,
    find: 'maxInFlightPerClient: 512,',
    replace: 'maxInFlightPerClient: 16_384,',
    killedBy: 'F1.bounds',
    tier: 'kernel',
  },
  {
    id: 'thousands-of-pins',
    mistake: 'one answer may make as many pins as it holds addresses',
    file: `${proxy}core/limits.ts`,
    find: 'maxPinsPerAnswer: 64,',
    replace: 'maxPinsPerAnswer: 4_096,',
    killedBy: 'F1.bounds',
    tier: 'kernel',
  },
  {
    id: 'pins-for-a-day',
    mistake: 'the ceiling of a pin is a day',
    file: `${proxy}core/limits.ts`,
    find: 'ttlCeilingSeconds: 300,',
    replace: 'ttlCeilingSeconds: 86_400,',
    killedBy: 'F1.ttl',
    tier: 'kernel',
  },
];
