/**
 * The namespace of the bench: loopback, one set of pins for each design.
 * Invariant: refuses a namespace with any interface but loopback, so that nothing of the host is touched.
 */
import { execFileSync } from 'node:child_process';
import { inetTable, pinSetOf } from '#reference/contract/datapath.ts';

export const loopback = '127.0.0.1';
export const stubPort = 5_300;
export const tap = 'tap-0';
export const tables = {
  inet: inetTable,
  /** Two proxies never share a table: each takes back what it did not pin. */
  dgram: 'mitos-dgram',
  ourSet: pinSetOf(tap, 'ipv4'),
  dnsmasqSet: 'dnsmasq',
  publishedSet: 'published',
} as const;

const pinType = 'type ipv4_addr . inet_proto . inet_service; flags timeout; size 65536;';

function run(command: string, ...parameters: string[]): string {
  return execFileSync(command, parameters, { encoding: 'utf8', timeout: 20_000 });
}

export function layGround(): void {
  const names = run('ip', '-br', 'link').match(/^[^\s@]+/gm) ?? [];
  const strange = names.filter((name) => name !== 'lo');
  if (strange.length > 0) throw new Error(`this is no namespace of the bench: it has ${strange.join(', ')}`);
  run('ip', 'link', 'set', 'lo', 'up');
  for (const table of [tables.inet, tables.dgram]) {
    run('nft', 'add', 'table', 'inet', table);
    for (const family of ['ipv4', 'ipv6'] as const) {
      const type = pinType.replace('ipv4', family);
      run('nft', 'add', 'set', 'inet', table, pinSetOf(tap, family), `{ ${type} }`);
    }
  }
  run('nft', 'add', 'set', 'inet', tables.inet, tables.publishedSet, `{ ${pinType} }`);
  run('nft', 'add', 'set', 'inet', tables.inet, tables.dnsmasqSet, '{ type ipv4_addr; size 65536; }');
}

/** How many elements a set has. */
export function elementsOf(set: string, table: string = tables.inet): number {
  const listed = JSON.parse(run('nft', '-j', 'list', 'set', 'inet', table, set)) as {
    nftables: { set?: { elem?: unknown[] } }[];
  };
  return listed.nftables.flatMap(({ set: found }) => found?.elem ?? []).length;
}
