/** F1.iff: what is answered is pinned, what is pinned is answered, and a failure leaves nothing behind. */
import * as fc from 'fast-check';
import {
  command,
  InvariantBroken,
  type LedgerCase,
  type LedgerCommand,
  ledgerCase,
  notationOfLedger,
  runLedger,
  smallLedger,
} from '../../arbitraries/ledger-commands.ts';
import type { Session } from '../../models/dns-session.ts';
import type { LedgerHost } from '../../models/ledger-host.ts';
import { decodeAnswer } from '../../oracles/dns/answer-oracle.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { type Asked, askCommand, pinningWorks, portsOf } from '../ledger-claim.ts';

const iffLedger = { ...smallLedger, maxElementsPerSet: 12 };
const broken = (observed: string, required: string): Violation => ({
  observed,
  required,
  requiredRule: 'findings.md F1: an address is in the answer if and only if it is pinned',
});

let asking: Subject | null = null;
/** Elements of the tap before the question, by `address port`. */
let before = new Set<string>();

function judgeExchange(host: LedgerHost, asked: Asked, { answer, pins }: Session): void {
  const decoded = answer === null ? null : decodeAnswer(answer);
  const unanswered = pins.length > 0 && (decoded?.addresses.length ?? 0) === 0;
  if (unanswered && decoded?.rcode !== 'SERVFAIL') {
    const observed = decoded === null ? 'no answer' : `${decoded.rcode} without an address`;
    throw new InvariantBroken(broken(observed, 'SERVFAIL when a pin fails'));
  }
  const answered = new Set(decoded?.addresses.map(({ address }) => address) ?? []);
  const live = new Set(
    host.kernel.elements(host.nowMs, asked.tap).map(({ address, port }) => `${address} ${port}`),
  );
  for (const address of answered) {
    const missing = portsOf(asked).find((port) => !live.has(`${address} ${port}`));
    if (missing === undefined) continue;
    throw new InvariantBroken(
      broken(`${address} is answered, port ${missing} is not pinned`, 'SERVFAIL when a pin fails'),
    );
  }
  for (const key of live) {
    const address = key.split(' ')[0] ?? '';
    if (before.has(key) || answered.has(address)) continue;
    throw new InvariantBroken(
      broken(`${key} is newly pinned, ${address} is not answered`, 'nothing newly pinned without an answer'),
    );
  }
}

const question = askCommand(
  () => {
    if (asking === null) throw new Error('a command runs outside a judgement');
    return asking;
  },
  judgeExchange,
  [1, 2, 3, 5, 7, 13, 70],
);

/** Remembers what is pinned just before each question. */
const remembered = question.map(
  (inner): LedgerCommand => ({
    check: (model) => inner.check(model),
    run(model, real) {
      const tap = String(inner).split(' ')[0] ?? '';
      before = new Set(
        real.host.kernel.elements(real.host.nowMs, tap).map(({ address, port }) => `${address} ${port}`),
      );
      inner.run(model, real);
    },
    toString: () => String(inner),
  }),
);

const fail = fc.constantFrom('ENFILE', 'ENOBUFS', 'EBUSY').map((error) =>
  command(`the next batch meets ${error}`, (host) => {
    if (host.kernel.failures.length < 2) host.kernel.failures.push(error);
  }),
);
const tick = fc.constantFrom(1_000, 29_999, 31_000, 301_000).map((ms) =>
  command(`${ms} ms pass`, (host) => {
    host.nowMs += ms;
  }),
);
const restart = fc.constant(command('kill -9, start again', (host) => host.restart()));

export const claim = defineClaim<LedgerCase>({
  id: 'F1.iff',
  statement:
    'An address is in the answer iff it is pinned; pin failure is SERVFAIL and leaves nothing newly pinned.',
  source: 'findings.md F1, reference, messages',
  decisions: ['pin-ledger', 'dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  weight: 0.5,
  arbitrary: ({ replayPath }) =>
    ledgerCase([remembered, remembered, remembered, fail, tick, restart], replayPath),
  control: pinningWorks,
  judge(subject, input) {
    asking = subject;
    return runLedger(subject, iffLedger, input, () => null);
  },
  notation: notationOfLedger,
  observe(subject, input) {
    asking = subject;
    const violation = runLedger(subject, iffLedger, input, () => null);
    return violation === null ? 'answered and pinned are the same' : violation.observed;
  },
});
