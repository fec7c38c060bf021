/** F1.iff and F1.teardown: what is pinned is what is answered. Only where somebody says which sets are the pins. */
import { encodeMessage, hexOf, type ModelRecord, query, types } from '#properties/models/dns-message.ts';
import { type Finding, holds } from '../../finding.ts';
import { brokenBy } from '../exchange-part.ts';
import type { Missing, Part } from '../part.ts';
import type { Pinned } from '../pinned-sets.ts';
import { answerWords } from '../received.ts';
import type { Settings } from '../settings.ts';
import { addressRecordOf, answersWith, type Stage } from '../stage.ts';
import { scripted } from '../upstream.ts';

interface PinCase {
  readonly id: string;
  readonly sends: string;
  readonly code?: number;
  readonly records: (name: readonly string[]) => readonly ModelRecord[];
  /** Addresses of the case, of nobody else. */
  readonly addresses: readonly string[];
}

const cases: readonly PinCase[] = [
  {
    id: 'public',
    sends: 'a public address',
    addresses: ['93.184.217.1'],
    records: (name) => [addressRecordOf(name, '93.184.217.1')],
  },
  {
    id: 'several',
    sends: 'three public addresses',
    addresses: ['93.184.217.2', '93.184.217.3', '93.184.217.4'],
    records: (name) =>
      ['93.184.217.2', '93.184.217.3', '93.184.217.4'].map((one) => addressRecordOf(name, one)),
  },
  {
    id: 'off-the-chain',
    sends: 'an address of another owner',
    addresses: ['93.184.217.5'],
    records: (name) => [addressRecordOf(['other', ...name], '93.184.217.5')],
  },
  {
    id: 'other-class',
    sends: 'an address of class CH',
    addresses: ['93.184.217.6'],
    records: (name) => [{ ...addressRecordOf(name, '93.184.217.6'), class: 3 }],
  },
  {
    id: 'nxdomain',
    sends: 'an address in an NXDOMAIN',
    code: 3,
    addresses: ['93.184.217.7'],
    records: (name) => [addressRecordOf(name, '93.184.217.7')],
  },
  {
    id: 'refused-beside-public',
    sends: 'cloud metadata beside a public address',
    addresses: ['93.184.217.8', '169.254.169.254'],
    records: (name) => ['169.254.169.254', '93.184.217.8'].map((one) => addressRecordOf(name, one)),
  },
  {
    id: 'huge-ttl',
    sends: 'a public address with TTL 2³¹−1',
    addresses: ['93.184.217.9'],
    records: (name) => [addressRecordOf(name, '93.184.217.9', 2 ** 31 - 1)],
  },
];

const never = 'an address is answered and not pinned, or pinned and not answered, or answered for longer';

function judgeSets(
  { addresses, id }: PinCase,
  answered: ReadonlyMap<string, number>,
  pinned: Pinned,
): Finding {
  for (const address of addresses) {
    const ttl = answered.get(address);
    const isPinned = pinned.has(address);
    if (ttl !== undefined && !isPinned)
      return { outcome: 'falsified', observed: `${address} is answered, not pinned` };
    if (ttl === undefined && isPinned)
      return { outcome: 'falsified', observed: `${address} is pinned, not answered` };
    const left = pinned.get(address);
    // Read a moment later, in whole seconds.
    if (ttl !== undefined && typeof left === 'number' && ttl > left + 1)
      return { outcome: 'falsified', observed: `${address} is answered for ${ttl} s, pinned for ${left} s` };
  }
  const count = addresses.filter((address) => answered.has(address)).length;
  if (id === 'public' && count === 0)
    return { outcome: 'falsified', observed: 'neither answered nor pinned', absent: true };
  return holds(`${count} of ${addresses.length} answered and pinned`);
}

function pinPart(one: PinCase): Part {
  const id = `iff/${one.id}`;
  const play = (name: readonly string[]) =>
    answersWith(name, one.records(name), (reply) => ({ ...reply, flags: reply.flags | (one.code ?? 0) }));
  return {
    claim: 'F1.iff',
    id,
    sends: one.sends,
    never,
    clause: 'findings.md F1: an address is in the answer if and only if it is pinned',
    alone: true,
    messages(names) {
      const hex = hexOf(encodeMessage(query(names.of(id), types.a)));
      return { guest: [hex], upstream: scripted(play(names.of(id)), hex) };
    },
    async run(stage: Stage) {
      const name = stage.names.next(id);
      const before = await stage.readPins();
      const old = one.addresses.find((address) => before.has(address));
      if (old !== undefined) {
        const give = 'empty the set, or wait until it expires';
        return { outcome: 'not-run', observed: `${old} is pinned already`, give };
      }
      const exchange = await stage.exchange(name, query(name, types.a), play(name));
      const broken = brokenBy(exchange);
      if (broken !== null) return broken;
      const { answer } = exchange;
      const answered = new Map(answer?.addresses.map(({ address, ttl }) => [address, ttl]));
      const finding = judgeSets(one, answered, await stage.readPins());
      return {
        ...finding,
        observed: `${finding.observed} (${answer === null ? 'no answer' : answerWords(answer)})`,
      };
    },
  };
}

export function pinParts({ nftSets, netns }: Settings): (Part | Missing)[] {
  const teardown: Missing = {
    claim: 'F1.teardown',
    id: 'teardown',
    never: 'the next sandbox inherits a pin',
    reason: 'no question tells a server that a sandbox is gone',
    give: 'pnpm e2e:husk-network, or take the sandbox away and read the set',
  };
  if (nftSets.length > 0 || netns !== undefined) return [...cases.map(pinPart), teardown];
  const reason = 'pins cannot be seen from outside';
  const give = '--nft-set FAMILY TABLE SET, or --netns NAME: the sets that the server pins into';
  return [{ claim: 'F1.iff', id: 'iff', never, reason, give }, teardown];
}
