/**
 * The ruleset of an egress filter: what may leave a network namespace whose names the proxy resolves, in one table of
 * its own.
 * Invariant: only positive accepts; every flow that the filter admitted carries its mark, so that what was open before
 * is cut; metadata and the rest of the never list come before every accept of a destination, in both families and
 * inside every IPv6 form that carries an IPv4.
 */
import { pinSetOf } from '#reference/contract/datapath.ts';
import { addressList } from '../../decisions/ruleset/address-sets.ts';
import { type Denial, embeddedDenials } from '../../decisions/ruleset/embedded-denials.ts';
import {
  accept,
  type Command,
  ct,
  drop,
  inSet,
  type Json,
  jump,
  match,
  meta,
  payload,
  type Statement,
  setMark,
  type Transaction,
} from '../../decisions/ruleset/nft-json.ts';
import { cidrElements } from '../../decisions/ruleset/policy-elements.ts';
import { cidrSetOf, destination, place } from '../../decisions/ruleset/sandbox-words.ts';

/** The name of the table, and of the one sandbox in it. */
export const egressTable = 'mitos-dns';
export const egressTap = 'egress';
/** Of flows that this filter admitted. Any other mark is somebody else's. */
const mark = 0x6d646e73;

export interface EgressPolicy {
  readonly allow: readonly string[];
  readonly denyCIDRs: readonly string[];
  readonly nat64Prefixes: readonly string[];
  readonly pinPrivateCIDRs: readonly string[];
  readonly maxPins: number;
}

const families = ['ipv4', 'ipv6'] as const;
const inet = { family: 'inet', table: egressTable } as const;
const neverOf = (family: (typeof families)[number]) => `never-${family}`;

const rule = (chain: string, why: string, ...expr: Statement[]): Command => ({
  add: { rule: { ...inet, chain, expr, comment: why } },
});
const set = (name: string, type: Json, more: { readonly [key: string]: Json }): Command => ({
  add: { set: { ...inet, name, type, ...more } },
});
const chain = (name: string, more: { readonly [key: string]: Json } = {}): Command => ({
  add: { chain: { ...inet, name, ...more } },
});
const table = (verb: 'add' | 'delete'): Command => ({
  [verb]: { table: { family: 'inet', name: egressTable } },
});

/** Replaces the table, whatever stood there, in one transaction. */
export function openEgress(policy: EgressPolicy): Transaction {
  const commands: Command[] = [table('add'), table('delete'), table('add')];
  // Of the pod an address list reads the operator's prefixes alone.
  const pod = { ...policy, uplink: 'lo', masqueradePorts: [32_768, 61_000] as const };
  for (const family of families) {
    const type = [`${family}_addr`, 'inet_proto', 'inet_service'];
    commands.push(
      set(neverOf(family), `${family}_addr`, { flags: ['interval'] }),
      { add: { element: { ...inet, name: neverOf(family), elem: addressList('never', family, pod) } } },
      set(pinSetOf(egressTap, family), type, { flags: ['timeout'], size: policy.maxPins }),
      set(cidrSetOf(egressTap, family), type, { flags: ['interval'] }),
    );
    const elem = cidrElements(policy.allow, family);
    if (elem.length > 0) {
      commands.push({ add: { element: { ...inet, name: cidrSetOf(egressTap, family), elem } } });
    }
  }
  commands.push(chain('leaving'), ...leavingRules(embeddedDenials('never', pod)));
  for (const hook of ['output', 'forward']) {
    commands.push(chain(hook, { type: 'filter', hook, prio: 0, policy: 'drop' }));
    if (hook === 'output') {
      commands.push(rule(hook, 'loopback, and the resolver on it', match(meta('oifname'), 'lo'), accept));
    }
    commands.push(rule(hook, 'what may leave', jump('leaving')));
  }
  return { nftables: commands };
}

export function closeEgress(): Transaction {
  return { nftables: [table('delete')] };
}

function leavingRules(denials: readonly Denial[]): Command[] {
  return [
    ...(['nd-neighbor-solicit', 'nd-neighbor-advert'] as const).map((type) =>
      rule(
        'leaving',
        'neighbour discovery on the link',
        match(payload('icmpv6', 'type'), type),
        match(payload('ip6', 'hoplimit'), 255),
        accept,
      ),
    ),
    ...families.map((family) =>
      rule('leaving', 'never', match(destination(family), inSet(neverOf(family))), drop),
    ),
    ...denials.map(({ why, statements }) => rule('leaving', why, ...statements)),
    rule('leaving', 'no flow', match(ct('state'), 'invalid', 'in'), drop),
    rule(
      'leaving',
      'a flow that began outside',
      match(ct('state'), 'established', 'in'),
      match(ct('direction'), 'reply'),
      accept,
    ),
    rule(
      'leaving',
      'a flow that this filter admitted',
      match(ct('state'), 'established', 'in'),
      match(ct('mark'), mark),
      accept,
    ),
    rule(
      'leaving',
      'a TCP flow begins with SYN',
      match(ct('state'), 'new', 'in'),
      match({ '&': [payload('tcp', 'flags'), ['fin', 'syn', 'rst', 'ack']] }, 'syn', '!='),
      drop,
    ),
    ...families.flatMap((family) => [
      rule(
        'leaving',
        'an allowed CIDR',
        match(ct('state'), 'new', 'in'),
        match(place(family), inSet(cidrSetOf(egressTap, family))),
        setMark(mark),
        accept,
      ),
      rule(
        'leaving',
        'a pinned address',
        match(ct('state'), 'new', 'in'),
        match(place(family), inSet(pinSetOf(egressTap, family))),
        setMark(mark),
        accept,
      ),
    ]),
  ];
}
