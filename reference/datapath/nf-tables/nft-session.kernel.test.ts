/** What is compiled here and what nft(8) makes of the same transaction are listed alike. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Transaction } from '../../decisions/ruleset/nft-json.ts';
import {
  changePolicy,
  closeSandbox,
  cutSandbox,
  openPod,
  openSandbox,
} from '../../decisions/ruleset/ruleset.ts';
import {
  mixedPolicy,
  narrowPolicy,
  sampleNetwork,
  samplePod,
  widePolicy,
} from '../../decisions/ruleset/ruleset-samples.ts';
import { layGround, run } from '../kernel-ground.ts';
import { NETLINK_NETFILTER, NetlinkSession } from '../netlink.ts';
import { NftSession } from './nft-session.ts';

const session = new NftSession(new NetlinkSession(NETLINK_NETFILTER));
const network = { ...sampleNetwork(0, true), tap: 'world' };

afterEach(() => {
  run('nft', 'flush', 'ruleset');
});

type Listed = { readonly [kind: string]: { readonly [key: string]: unknown } };

/** Handles left out; the matches of a rule in any order: nft(8) sorts fields by their place in the packet. */
function listed(): string[] {
  const { nftables } = JSON.parse(run('nft', '-j', 'list', 'ruleset')) as { nftables: Listed[] };
  return nftables
    .filter((one) => !('metainfo' in one))
    .map((one) => {
      const [[kind, words] = ['', {}]] = Object.entries(one);
      const { handle: _, expr, ...rest } = words as { handle?: unknown; expr?: unknown[] };
      return `${kind} ${JSON.stringify(rest)} ${JSON.stringify(expr?.map((part) => JSON.stringify(part)).sort())}`;
    })
    .sort();
}

function byNft(transactions: readonly Transaction[]): void {
  const path = join(tmpdir(), `transaction-${process.pid}.json`);
  for (const transaction of transactions) {
    writeFileSync(path, JSON.stringify(transaction));
    run('nft', '-j', '-f', path);
  }
}

const pod = {
  ...samplePod,
  uplink: 'up0',
  nat64Prefixes: ['2001:db8:64::/48', '2a00:1200:100::/40', '2a00:1:2:3::/64'],
};
const sequences: readonly (readonly [string, readonly Transaction[]])[] = [
  ['the pod alone', [openPod(pod)]],
  ...[narrowPolicy, widePolicy, mixedPolicy].map((policy, index): [string, Transaction[]] => [
    `policy ${index}`,
    [openPod(pod), openSandbox(pod, network, policy)],
  ]),
  [
    'a change',
    [
      openPod(pod),
      openSandbox(pod, network, widePolicy),
      changePolicy(pod, network, widePolicy, mixedPolicy),
    ],
  ],
  [
    'an end',
    [
      openPod(pod),
      openSandbox(pod, network, widePolicy),
      cutSandbox(pod, network, widePolicy),
      closeSandbox(network),
    ],
  ],
];

for (const [title, transactions] of sequences) {
  test(`${title}: listed as nft(8) lists what it made itself`, () => {
    layGround();
    byNft(transactions);
    const theirs = listed();
    run('nft', 'flush', 'ruleset');
    for (const transaction of transactions) session.run(transaction);
    expect(listed()).toEqual(theirs);
    expect(theirs.length).toBeGreaterThan(40);
  });
}

test('p → q and a fresh q are one ruleset in the kernel too', () => {
  layGround();
  for (const from of [narrowPolicy, widePolicy, mixedPolicy]) {
    for (const to of [narrowPolicy, widePolicy, mixedPolicy]) {
      session.run(openPod(pod));
      session.run(openSandbox(pod, network, from));
      session.run(changePolicy(pod, network, from, to));
      const changed = listed();
      session.run(openPod(pod));
      session.run(openSandbox(pod, network, to));
      expect(changed).toEqual(listed());
    }
  }
});

test('a transaction that is refused leaves nothing of itself, and says which command it was', () => {
  layGround();
  session.run(openPod(pod));
  const before = listed();
  const chain = { family: 'inet', table: 'mitos', name: 'a-chain' } as const;
  const refused: Transaction = {
    nftables: [{ add: { chain } }, { delete: { chain: { ...chain, name: 'none' } } }],
  };
  expect(() => session.run(refused)).toThrow(/ENOENT.*|none/s);
  expect(listed()).toEqual(before);
});
