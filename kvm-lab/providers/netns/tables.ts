/** The tables of a namespace as iproute2 and conntrack show them: a reader that no subject shares. */
import type { Tables } from '../network-lab.ts';
import type { Namespace } from './namespace.ts';

interface Row {
  readonly [field: string]: unknown;
}

/** Both families each, but for the cache: without a family it is IPv4's. */
const queries = 'route show table all\nroute show cache\naddr show\nneigh show\n';

export function readTables(namespace: Namespace): Tables {
  const [routes = [], cache = [], addr = [], neigh = []] = documents(
    namespace.run('ip', ['-j', '-batch', '-'], queries),
  );
  const [cache6 = []] = documents(namespace.run('ip', ['-j', '-6', 'route', 'show', 'cache']));
  return {
    routes: routes.map(routeLine).sort(),
    exceptions: [...cache, ...cache6].map(routeLine).sort(),
    addresses: addr.flatMap(addressLines).sort(),
    neighbors: neigh.map((row) => words(row, 'dst', 'dev', 'lladdr')).sort(),
    flows: flowsOf(namespace).sort(),
  };
}

/** `ip -batch` writes one JSON array after the other. */
function documents(text: string): Row[][] {
  return text
    .split(/(?<=\])\s*\n(?=\[)/)
    .filter((part) => part.trim() !== '')
    .map((part) => JSON.parse(part) as Row[]);
}

const words = (row: Row, ...fields: string[]) =>
  fields.flatMap((field) => (row[field] === undefined ? [] : [`${field} ${String(row[field])}`])).join(' ');

/** The whole row but clocks: what expires counts down between two readings. */
function routeLine(row: Row): string {
  const { metrics, ...rest } = row;
  const said = Object.entries(rest)
    .filter(([field]) => !['expires', 'cache', 'flags', 'used', 'age', 'users'].includes(field))
    .map(([field, value]) => `${field} ${JSON.stringify(value)}`);
  const mtu = JSON.stringify(metrics ?? []).match(/"mtu":\d+/)?.[0];
  return [...said, ...(mtu === undefined ? [] : [mtu])].join(' ').replaceAll('"', '');
}

function addressLines(row: Row): string[] {
  const own = (row.addr_info as Row[] | undefined) ?? [];
  return own.map((entry) => `${String(row.ifname)} ${words(entry, 'family', 'local', 'prefixlen')}`);
}

/** Protocol and original tuple of each entry. conntrack exits with 0 for none, too. */
function flowsOf(namespace: Namespace): string[] {
  const text = namespace.run('conntrack', ['-L']);
  return text
    .split('\n')
    .filter((line) => line.includes('src='))
    .map((line) => {
      const protocol = line.split(/\s+/, 1)[0] ?? '';
      const tuple = /src=\S+ dst=\S+(?: sport=\d+ dport=\d+)?(?: type=\d+ code=\d+ id=\d+)?/.exec(line)?.[0];
      return `${protocol} ${tuple ?? line}`;
    });
}
