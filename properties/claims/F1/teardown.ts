/** F1.teardown: the next sandbox starts from nothing. */
import {
  type LedgerCase,
  ledgerCase,
  ledgerCommandArbitraries,
  notationOfLedger,
  runLedger,
  smallLedger,
  taps,
} from '../../arbitraries/ledger-commands.ts';
import type { LedgerHost } from '../../models/ledger-host.ts';
import type { Violation } from '../../oracles/violation.ts';
import { defineClaim } from '../claim.ts';
import { pinningWorks } from '../ledger-claim.ts';

/** A tap without a sandbox, or with one that came this moment, has no element in either family. */
function noInheritance(host: LedgerHost, command: string): Violation | null {
  // The ledger cannot mend what it has not heard of.
  if (host.hasUnheardSetFailure()) return null;
  for (const tap of taps) {
    if (host.attached.has(tap) && command !== `attach ${tap}`) continue;
    const [left] = host.kernel.elements(host.nowMs, tap);
    if (left === undefined) continue;
    return {
      observed: `${left.address} ${left.protocol} ${left.port} is still pinned on ${tap}`,
      required: 'no pin is left for the next sandbox on the tap',
      requiredRule: 'findings.md F1: sets of both families go at teardown',
    };
  }
  return null;
}

export const claim = defineClaim<LedgerCase>({
  id: 'F1.teardown',
  statement: 'The next sandbox on a tap or address inherits no pin.',
  source:
    'findings.md F1, residual: "never deletes the v6 set at teardown, so the next sandbox on that tap inherits pins"',
  blindSpot: 'flows that conntrack still holds are F4.converge',
  decisions: ['pin-ledger', 'dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  weight: 0.5,
  arbitrary: ({ replayPath }) => ledgerCase(ledgerCommandArbitraries, replayPath),
  control: pinningWorks,
  judge: (subject, input) => runLedger(subject, smallLedger, input, noInheritance),
  notation: notationOfLedger,
  observe(subject, input) {
    const violation = runLedger(subject, smallLedger, input, noInheritance);
    return violation === null ? 'no pin is left' : violation.observed;
  },
});
