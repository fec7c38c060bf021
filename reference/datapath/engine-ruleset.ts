/**
 * What a fork engine adds to the network namespace of its machine: a table of its own that knows the uplinks of its
 * sandboxes.
 * Invariant: by an uplink nothing reaches the machine itself nor another sandbox, and nothing begins from outside; what
 * leaves is translated. Everything else passes as before.
 */
import {
  accept,
  type Command,
  ct,
  drop,
  inSet,
  match,
  meta,
  payload,
  prefix,
  type Statement,
  type Transaction,
} from '../decisions/ruleset/nft-json.ts';

export const engineTable = 'mitos-engine';
const uplinks = 'uplinks';
const inet = { family: 'inet', table: engineTable } as const;

const table = (verb: 'add' | 'delete'): Command => ({
  [verb]: { table: { family: 'inet', name: engineTable } },
});
const chain = (name: string, type: string, hook: string, prio: number): Command => ({
  add: { chain: { ...inet, name, type, hook, prio, policy: 'accept' } },
});
const rule = (name: string, why: string, ...expr: Statement[]): Command => ({
  add: { rule: { ...inet, chain: name, expr, comment: why } },
});
const fromUplink = match(meta('iifname'), inSet(uplinks));
const toUplink = match(meta('oifname'), inSet(uplinks));

/** Replaces the table, whatever a killed engine left, in one transaction. @param net of all uplinks */
export function openEngine(
  net: { readonly addr: string; readonly length: number },
  most: number,
): Transaction {
  return {
    nftables: [
      ...[table('add'), table('delete'), table('add')],
      { add: { set: { ...inet, name: uplinks, type: 'ifname', size: most } } },
      chain('input', 'filter', 'input', -10),
      rule('input', 'no listener of the machine is a guest’s', fromUplink, drop),
      chain('forward', 'filter', 'forward', -10),
      rule('forward', 'a sandbox never reaches a sandbox', fromUplink, toUplink, drop),
      rule('forward', 'replies', toUplink, match(ct('state'), 'established', 'in'), accept),
      rule('forward', 'errors of flows', toUplink, match(ct('state'), 'related', 'in'), accept),
      rule('forward', 'nothing begins outside', toUplink, drop),
      chain('source-nat', 'nat', 'postrouting', 100),
      rule('source-nat', 'nothing that stays', toUplink, accept),
      rule(
        'source-nat',
        'sandboxes leave as the machine',
        match(payload('ip', 'saddr'), prefix(net.addr, net.length)),
        { masquerade: null },
      ),
    ],
  };
}

export const closeEngine = (): Transaction => ({ nftables: [table('delete')] });

export const nameUplink = (verb: 'add' | 'delete', name: string): Transaction => ({
  nftables: [{ [verb]: { element: { ...inet, name: uplinks, elem: [name] } } }],
});
