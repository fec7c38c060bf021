/** F1.ttl: the guest is never told that it may use an address for longer than it can. */

import {
  type Invariant,
  InvariantBroken,
  type LedgerCase,
  ledgerCase,
  ledgerCommandArbitraries,
  notationOfLedger,
  runLedger,
  smallLedger,
} from '../../arbitraries/ledger-commands.ts';
import type { KernelElement } from '../../models/nft-sets.ts';
import { decodeAnswer } from '../../oracles/dns/answer-oracle.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { askCommand, pinningWorks, portsOf } from '../ledger-claim.ts';

const keyOf = ({ tap, address, protocol, port }: Omit<KernelElement, 'expiresMs'>) =>
  `${tap} ${address} ${protocol} ${port}`;
const broken = (observed: string, required: string): Violation => ({
  observed,
  required,
  requiredRule: 'findings.md F1: TTL within [30 s, ceiling], returned TTL ≤ pin, re-pinning never shortens',
});

/** Outcomes say the truth, lives are within bounds, and no pin makes another one shorter. */
function truthful(): Invariant {
  let heard = 0;
  let before = new Map<string, number>();
  return (host, command) => {
    const { nowMs } = host;
    const elements = host.kernel.elements(nowMs);
    const now = new Map(elements.map((element) => [keyOf(element), element.expiresMs]));
    for (const [key, expiresMs] of now) {
      const leftMs = expiresMs - nowMs;
      if (leftMs > smallLedger.ttlCeilingSeconds * 1_000)
        return broken(`${key} lives ${leftMs} ms`, 'at most the ceiling, 300 s');
      const earlier = before.get(key);
      const repinned = /pin|asks/.test(command);
      if (repinned && earlier !== undefined && earlier > expiresMs)
        return broken(`${key} lost ${earlier - expiresMs} ms`, 'a re-pin never shortens');
    }
    before = now;
    const outcomes = host.outcomes.slice(heard);
    heard = host.outcomes.length;
    for (const { requestId, addresses } of outcomes) {
      const request = host.requests.get(requestId);
      if (request === undefined) continue;
      for (const { address, pinned, remainingSeconds } of addresses) {
        if (!pinned) continue;
        for (const element of request.elements.filter((wanted) => wanted.address === address)) {
          const leftMs = (now.get(keyOf({ ...element, tap: request.tap })) ?? nowMs) - nowMs;
          const name = `${address} ${element.protocol} ${element.port}`;
          if (leftMs < remainingSeconds * 1_000)
            return broken(
              `${name} has ${leftMs} ms left, reported ${remainingSeconds} s`,
              'report no more than is left',
            );
          const owed = Math.min(Math.max(element.ttlSeconds, 30), 300) * 1_000 - (nowMs - request.atMs);
          if (leftMs < owed)
            return broken(
              `${name} has ${leftMs} ms left after a pin of ${element.ttlSeconds} s`,
              `at least ${owed} ms: a re-pin extends for real, a pin lives 30 s at least`,
            );
        }
      }
    }
    return null;
  };
}

/** The subject of the run in progress: commands are generated before it is known. */
let asking: Subject | null = null;

const question = askCommand(
  () => {
    if (asking === null) throw new Error('a command runs outside a judgement');
    return asking;
  },
  (host, asked, { answer }) => {
    const decoded = answer === null ? null : decodeAnswer(answer);
    for (const { address, ttl } of decoded?.addresses ?? []) {
      const live = host.kernel
        .elements(host.nowMs, asked.tap)
        .filter((element) => element.address === address && portsOf(asked).includes(element.port));
      const leftMs = live.length === 0 ? 0 : Math.min(...live.map(({ expiresMs }) => expiresMs)) - host.nowMs;
      if (ttl * 1_000 <= leftMs) continue;
      throw new InvariantBroken(
        broken(
          `${address} is answered with TTL ${ttl}, its pin has ${leftMs} ms left`,
          'returned TTL ≤ what is left of the pin',
        ),
      );
    }
  },
  [1, 2],
);

export const claim = defineClaim<LedgerCase>({
  id: 'F1.ttl',
  statement:
    'Returned TTL ≤ remaining pin; pin in [30 s, ceiling]; re-pinning never shortens, and extends for real.',
  source: 'RFC 2181 section 8; findings.md F1; facts.md, nftables cost (re-adding an element)',
  decisions: ['pin-ledger', 'dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  weight: 0.5,
  arbitrary: ({ replayPath }) =>
    ledgerCase([...ledgerCommandArbitraries, question, question, question], replayPath),
  control: pinningWorks,
  judge(subject, input) {
    asking = subject;
    return runLedger(subject, smallLedger, input, truthful());
  },
  notation: notationOfLedger,
  observe(subject, input) {
    asking = subject;
    const violation = runLedger(subject, smallLedger, input, truthful());
    return violation === null ? 'every reported life is there' : violation.observed;
  },
});
