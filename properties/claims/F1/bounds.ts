/** F1.bounds: nothing that a guest can make grow grows without end. */
import * as fc from 'fast-check';
import {
  type Invariant,
  type LedgerCase,
  ledgerCase,
  ledgerCommandArbitraries,
  notationOfLedger,
  runLedger,
  smallLedger,
  taps,
} from '../../arbitraries/ledger-commands.ts';
import { LedgerHost } from '../../models/ledger-host.ts';
import { decodeAnswer } from '../../oracles/dns/answer-oracle.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { ask, pinningWorks } from '../ledger-claim.ts';

interface BoundsCase {
  readonly ledger: LedgerCase;
  /** Addresses in one answer. */
  readonly addresses: number;
  toString(): string;
}

const maxPinsPerAnswer = 64;
const broken = (observed: string, required: string): Violation => ({
  observed,
  required,
  requiredRule: 'findings.md F1: at most 64 pins per answer, a size on every set; overflow fails closed',
});

/** Sets stay within their bound, requests in flight too, and a pin on one tap leaves the other as it was. */
function bounded(): Invariant {
  let before = new Map<string, string>();
  return (host, command) => {
    const largest = host.kernel.largest(host.nowMs);
    if (largest > smallLedger.maxElementsPerSet) {
      return broken(`a set holds ${largest} elements`, `at most ${smallLedger.maxElementsPerSet}`);
    }
    const adds = host.waitingAdds();
    if (adds > smallLedger.maxRequestsInFlight) {
      return broken(`${adds} batches are in flight`, `at most ${smallLedger.maxRequestsInFlight}`);
    }
    const now = new Map(
      taps.map((tap) => [tap as string, JSON.stringify(host.kernel.elements(host.nowMs, tap))]),
    );
    const neighbour = taps.find((tap) => command.startsWith('pin') && !command.startsWith(`pin ${tap}`));
    const disturbed =
      neighbour !== undefined && before.get(neighbour) !== now.get(neighbour) && before.size > 0;
    before = now;
    return disturbed ? broken(`a pin changed the sets of ${neighbour}`, 'neighbours unaffected') : null;
  };
}

function judgeAnswer(subject: Subject, addresses: number): Violation | null {
  const roomy = { ...smallLedger, maxElementsPerSet: 1_024 };
  const host = new LedgerHost(subject, roomy, { size: 65_535, reAdd: 'refreshes' });
  host.attach('tap0');
  const asked = {
    tap: 'tap0',
    name: ['a', 'wild', 'test'],
    count: addresses,
    first: 0,
    ttl: 60,
    latencyMs: 0,
  };
  const { pins, answer } = ask(subject, host, asked);
  const distinct = new Set(pins.map(({ address }) => address)).size;
  if (distinct > maxPinsPerAnswer) return broken(`one answer pins ${distinct} addresses`, 'at most 64');
  const answered = answer === null ? 0 : (decodeAnswer(answer)?.addresses.length ?? 0);
  const owed = Math.min(addresses, maxPinsPerAnswer);
  return answered === owed
    ? null
    : broken(`${answered} of ${addresses} addresses are answered`, `the first ${owed}`);
}

export const claim = defineClaim<BoundsCase>({
  id: 'F1.bounds',
  statement:
    'Pins per answer, per set, in flight and per client are bounded; overflow fails closed, neighbours unaffected.',
  source: 'findings.md F1, residual, messages: "lets one answer add thousands of pins"',
  blindSpot: 'queries in flight per client are a matter of the proxy’s I/O: tier kernel',
  decisions: ['pin-ledger', 'dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  weight: 0.5,
  arbitrary: ({ replayPath }) =>
    fc
      .tuple(
        ledgerCase(ledgerCommandArbitraries, replayPath),
        fc.oneof(
          { weight: 9, arbitrary: fc.constantFrom(0, 1) },
          { weight: 1, arbitrary: fc.constantFrom(63, 64, 65, 300) },
        ),
      )
      .map(([ledger, addresses]) => ({
        ledger,
        addresses,
        toString: () => `${addresses} addresses in an answer; ${ledger.toString()}`,
      })),
  control: pinningWorks,
  judge: (subject, { ledger, addresses }) =>
    runLedger(subject, smallLedger, ledger, bounded()) ?? judgeAnswer(subject, addresses),
  notation: ({ ledger, addresses }) => `${addresses} addresses in one answer; ${notationOfLedger(ledger)}`,
  observe(subject, { ledger, addresses }) {
    const violation = runLedger(subject, smallLedger, ledger, bounded()) ?? judgeAnswer(subject, addresses);
    return violation === null ? 'every bound is kept' : violation.observed;
  },
});
