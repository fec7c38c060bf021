/** docs/dns-peers.md: how other readers of DNS messages read what a hostile sender writes, beside the reference. */
import { knownDifferences } from '../fuzz/dns/peers/known-differences.ts';
import { readMeasuredPeers } from '../fuzz/dns/peers/measured-peers.ts';
import { generatedNotice, markdownTable } from './markdown.ts';

const digits = (value: number) => value.toLocaleString('en-US');
const kinds = {
  'only-peer': 'reads what we refuse',
  'only-we': 'refuses what we read',
  otherwise: 'reads it otherwise',
} as const;

export function dnsPeersPage(): string {
  const { seed, runs, results } = readMeasuredPeers();
  const summary = results.map(({ peer, version, messages, alike, bothRefuse, known }) => [
    `${peer} ${version}`,
    ...[messages, alike, bothRefuse, Object.values(known).reduce((sum, count) => sum + count, 0)].map(digits),
    '0',
  ]);
  const classes = results.flatMap(({ peer, known }) =>
    knownDifferences
      .filter((row) => row.peer === peer)
      .map(({ id, kind, why }) => [peer, kinds[kind], `it ${why}`, digits(known[id] ?? 0)]),
  );
  return `${[
    '# The DNS codec beside other readers',
    generatedNotice,
    'Hostile messages of the fuzzer’s families (`pnpm test:fuzz dns`), read by the reference’s codec and by two libraries. Of what ' +
      'all read, question and answers must be the same: owner, type, class, TTL, and the data of A, AAAA and CNAME. A difference ' +
      'that is in no row of the second table fails the run.',
    `Measured: ${digits(runs)} cases of seed ${seed}; of each the reply, or the guest’s message, where its opcode is QUERY.`,
    markdownTable(
      ['peer', 'messages', 'both read it, alike', 'both refuse it', 'known difference', 'unknown'],
      summary,
    ),
    '## Known differences',
    markdownTable(['peer', '', 'because', 'messages'], classes),
    'Both read on where our reader refuses: a message whose lengths and counts do not agree means different things to ' +
      'different readers, so that a filter in front and a resolver behind it need not see the same addresses. The trust boundary ' +
      'reads it one way or not at all.',
    '## Again',
    '```console\npnpm test:fuzz dns-peers --minutes 5\npnpm test:fuzz dns-peers --record && pnpm generate\n```',
  ].join('\n\n')}\n`;
}
