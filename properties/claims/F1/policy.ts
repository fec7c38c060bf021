/** F1.policy: a narrower policy takes effect on what is pinned already, and on nothing else. */
import {
  type Invariant,
  type LedgerCase,
  ledgerCase,
  ledgerCommandArbitraries,
  notationOfLedger,
  policyCommandArbitraries,
  runLedger,
  smallLedger,
} from '../../arbitraries/ledger-commands.ts';
import type { LedgerHost } from '../../models/ledger-host.ts';
import type { Violation } from '../../oracles/violation.ts';
import { defineClaim } from '../claim.ts';
import { pinningWorks } from '../ledger-claim.ts';

const broken = (observed: string, required: string): Violation => ({
  observed,
  required,
  requiredRule: 'findings.md F1: a policy change cuts what the new policy forbids, and no more',
});

type Justified = Map<string, Set<string>>;

/** Entries by element, from the requests whose every address was pinned; kill -9 forgets them. */
function learn(justified: Justified, host: LedgerHost, heard: number): void {
  for (const { requestId, addresses } of host.outcomes.slice(heard)) {
    const request = host.requests.get(requestId);
    if (request === undefined || !addresses.every(({ pinned }) => pinned)) continue;
    for (const { address, protocol, port, entry } of request.elements) {
      const key = `${request.tap} ${address} ${protocol} ${port}`;
      justified.set(key, (justified.get(key) ?? new Set()).add(entry));
    }
  }
}

function effective(): Invariant {
  let heard = 0;
  let before = new Set<string>();
  let failed = 0;
  const justified: Justified = new Map();
  return (host, command) => {
    learn(justified, host, heard);
    heard = host.outcomes.length;
    if (command.startsWith('kill -9')) justified.clear();
    const live = new Set(
      host.kernel
        .elements(host.nowMs)
        .map(({ tap, address, protocol, port }) => `${tap} ${address} ${protocol} ${port}`),
    );
    const earlier = before;
    before = live;
    const [, tap, words] = /^policy (\S+) (.*)$/.exec(command) ?? [];
    if (tap === undefined) {
      // What expired has to be justified anew.
      for (const key of justified.keys()) if (!live.has(key)) justified.delete(key);
    }
    const failedNow = host.kernel.failed > failed;
    failed = host.kernel.failed;
    const kept = (words ?? '').split(' ');
    const wasJustified = new Map([...justified].map(([key, entries]) => [key, [...entries]]));
    if (tap !== undefined) {
      for (const [key, entries] of justified) {
        if (!key.startsWith(`${tap} `)) continue;
        for (const entry of entries) if (!kept.includes(entry)) entries.delete(entry);
      }
    }
    // What is on its way is judged when it has arrived; where the kernel would not delete, every pin may go.
    if (tap === undefined || host.pending.length > 0 || failedNow) return null;
    const isJustified = (key: string) =>
      kept.some((entry) => wasJustified.get(key)?.includes(entry) === true);
    for (const key of live) {
      if (key.startsWith(`${tap} `) && !isJustified(key))
        return broken(`${key} stays pinned`, 'nothing that no entry justifies');
    }
    for (const key of earlier) {
      if (live.has(key) || (key.startsWith(`${tap} `) && !isJustified(key))) continue;
      return broken(`${key} is gone`, 'what an entry justifies stays, other sandboxes unaffected');
    }
    return null;
  };
}

export const claim = defineClaim<LedgerCase>({
  id: 'F1.policy',
  statement:
    'After a policy change no pin stays that no entry of it justifies, and every pin that one justifies stays, also when two ' +
    'entries did.',
  source:
    'findings.md F1, reference, messages: "a policy change or teardown cuts flows"; F4, residual: "re-applying a narrower policy leaves the wider accepts"',
  blindSpot: 'flows that were open before the change are F4.converge',
  decisions: ['pin-ledger', 'dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  weight: 0.4,
  arbitrary: ({ replayPath }) =>
    ledgerCase(
      [...policyCommandArbitraries, ...policyCommandArbitraries, ...ledgerCommandArbitraries],
      replayPath,
    ),
  control: pinningWorks,
  judge: (subject, input) => runLedger(subject, smallLedger, input, effective()),
  notation: notationOfLedger,
  observe(subject, input) {
    const violation = runLedger(subject, smallLedger, input, effective());
    return violation === null ? 'pins follow the policy' : violation.observed;
  },
});
