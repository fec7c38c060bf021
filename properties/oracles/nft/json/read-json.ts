/**
 * Reads what `nft -j list ruleset` wrote. A file lacks what the kernel has: the device of an ingress chain
 * (the caller names it), interface indexes, parameters of xt matches (rules with them have no verdict).
 */
import type {
  BaseChain,
  Chain,
  Family,
  Hook,
  NftSet,
  Rule,
  Ruleset,
  StatefulObject,
  Table,
} from '../ruleset.ts';
import type { ValueType } from './fields.ts';
import { members } from './lower-load.ts';
import { type KeyPart, lowerRule, makeSet } from './lower-rule.ts';
import type { Json } from './values.ts';

export interface JsonOptions {
  /** Devices of ingress and egress chains that name none. */
  readonly ingressDevices: readonly string[];
  /** Of `iif` and `oif`. Throws when it does not know the name. */
  readonly indexOf: (name: string) => number;
}

/** The file is no ruleset, or lacks something that only the caller can say. */
export class UnreadableRuleset extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.name = 'UnreadableRuleset';
    this.remedy = remedy;
  }
}

type Members = { readonly [key: string]: Json };

interface OpenTable {
  readonly family: Family;
  readonly name: string;
  readonly dormant: boolean;
  readonly chains: Map<string, Chain & { rules: Rule[] }>;
  readonly sets: Map<string, NftSet>;
  readonly objects: Map<string, StatefulObject>;
}

const families: readonly string[] = ['inet', 'ip', 'ip6', 'arp', 'bridge', 'netdev'];
const hooks: readonly string[] = [
  'ingress',
  'egress',
  'prerouting',
  'input',
  'forward',
  'output',
  'postrouting',
];
const objectKinds = [
  'counter',
  'quota',
  'limit',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'synproxy',
  'secmark',
];

/** Throws UnreadableRuleset. */
export function readJson(text: string, options: JsonOptions): Ruleset {
  const entries = parse(text);
  const tables = new Map<string, OpenTable>();
  const place = ({ family, table }: Members) => tables.get(`${String(family)} ${String(table)}`);
  const each = (kind: string, take: (entry: Members) => void) => {
    for (const entry of entries) if (kind in entry) take(members(entry[kind]));
  };
  each('table', (entry) => {
    const table = openTable(entry);
    tables.set(`${table.family} ${table.name}`, table);
  });
  each('chain', (entry) => {
    const name = String(entry.name);
    place(entry)?.chains.set(name, { name, base: readBase(entry, options), rules: [] });
  });
  for (const kind of ['set', 'map']) {
    each(kind, (entry) =>
      place(entry)?.sets.set(String(entry.name), readSet(entry, kind === 'map', options)),
    );
  }
  for (const kind of objectKinds) {
    each(kind, (entry) =>
      place(entry)?.objects.set(String(entry.name), { name: String(entry.name), type: kind }),
    );
  }
  each('rule', (entry) => {
    const table = place(entry);
    const chain = table?.chains.get(String(entry.chain));
    if (table === undefined || chain === undefined) {
      throw new UnreadableRuleset(
        `a rule of chain ${String(entry.chain)}, which is not there`,
        'list the whole ruleset',
      );
    }
    chain.rules.push(readRule(entry, table, chain, options));
  });
  return { tables: [...tables.values()] satisfies Table[] };
}

function parse(text: string): Members[] {
  const remedy = 'give the output of nft -j list ruleset';
  try {
    const { nftables } = members(JSON.parse(text) as Json);
    if (Array.isArray(nftables)) return nftables.map(members);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UnreadableRuleset(`no JSON: ${error.message}`, remedy);
  }
  throw new UnreadableRuleset('JSON without a list "nftables"', remedy);
}

function openTable({ family, name, flags }: Members): OpenTable {
  if (!families.includes(String(family))) {
    throw new UnreadableRuleset(`a table of family ${String(family)}`, `known are ${families.join(', ')}`);
  }
  const list = Array.isArray(flags) ? flags : [flags];
  return {
    family: String(family) as Family,
    name: String(name),
    dormant: list.includes('dormant'),
    chains: new Map(),
    sets: new Map(),
    objects: new Map(),
  };
}

function readBase({ hook, type, prio, policy, dev, name }: Members, options: JsonOptions): BaseChain | null {
  if (hook === undefined) return null;
  if (!hooks.includes(String(hook)) || !['filter', 'nat', 'route'].includes(String(type))) {
    throw new UnreadableRuleset(
      `chain ${String(name)} of type ${String(type)} at hook ${String(hook)}`,
      'mend the file',
    );
  }
  const named = (Array.isArray(dev) ? dev : dev === undefined ? [] : [dev]).map(String);
  const atDevice = hook === 'ingress' || hook === 'egress';
  const devices = atDevice && named.length === 0 ? options.ingressDevices : named;
  if (atDevice && devices.length === 0) {
    throw new UnreadableRuleset(
      `chain ${String(name)} at hook ${String(hook)} without a device (nft 1.0.6 leaves it out)`,
      'name it with --ingress-dev, or read the ruleset with --netns',
    );
  }
  return {
    type: String(type) as BaseChain['type'],
    hook: String(hook) as Hook,
    priority: Number(prio ?? 0),
    policy: policy === 'drop' ? 'drop' : 'accept',
    devices,
  };
}

const setTypes: Readonly<Record<string, readonly [ValueType, bytes: number]>> = {
  ipv4_addr: ['ipv4', 4],
  ipv6_addr: ['ipv6', 16],
  ether_addr: ['ether', 6],
  inet_proto: ['protocol', 1],
  inet_service: ['port', 2],
  mark: ['hostInteger', 4],
  ifname: ['ifname', 16],
  iface_index: ['ifindex', 4],
  ether_type: ['etherType', 2],
  arp_op: ['arpOperation', 2],
  icmp_type: ['icmpType', 1],
  icmpv6_type: ['icmpv6Type', 1],
  ct_state: ['ctState', 4],
  nf_proto: ['nfproto', 1],
  pkt_type: ['packetType', 1],
  fib_addrtype: ['fibType', 4],
  dscp: ['dscp', 1],
};

function keyPart(name: Json): KeyPart {
  const [type, bytes] = setTypes[String(name)] ?? [];
  if (type === undefined || bytes === undefined) {
    throw new UnreadableRuleset(`a set of type ${String(name)}`, 'read the ruleset with --netns instead');
  }
  return { type, bytes, bits: bytes * 8, shift: 0 };
}

function readSet(entry: Members, map: boolean, options: JsonOptions): NftSet {
  const { name, type, flags, elem } = entry;
  const parts = (Array.isArray(type) ? type : [type ?? null]).map(keyPart);
  const held = entry.map;
  const holds = !map
    ? 'keys'
    : held === 'verdict'
      ? 'verdicts'
      : objectKinds.includes(String(held))
        ? 'objects'
        : 'values';
  const elements = Array.isArray(elem) ? elem : [];
  const value = holds === 'values' ? keyPart(held ?? null) : null;
  const set = makeSet(holds === 'objects' ? [] : elements, parts, holds, value, options);
  return { ...set, name: String(name), dynamic: Array.isArray(flags) && flags.includes('dynamic') };
}

function readRule(entry: Members, table: OpenTable, chain: Chain, options: JsonOptions): Rule {
  const { expr, handle } = entry;
  const keep = (set: Omit<NftSet, 'name'>) => {
    const name = `in rule ${Number(handle)}, set ${table.sets.size}`;
    table.sets.set(name, { ...set, name });
    return name;
  };
  const context = {
    family: table.family,
    hook: chain.base?.hook ?? null,
    namedSets: table.sets,
    keep,
    indexOf: options.indexOf,
  };
  return { handle: Number(handle), expressions: lowerRule(Array.isArray(expr) ? expr : [], context) };
}
