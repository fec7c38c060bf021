/**
 * The allow entries of a template: `[tcp|udp://]host:port`, `[tcp|udp://]*.host:port`,
 * `[tcp|udp://]CIDR:port`. Names match by labels; `*.x.test` is one or more labels under `x.test`, not
 * itself.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { parseAddress } from '../pin-address/ip-address.ts';
import { parseHostName, type WireName } from './name.ts';
import { NameTable } from './name-table.ts';

export interface AllowedPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** The entry as written. */
  readonly entry: string;
}

export interface Allowlist {
  /** What the name may be reached on; empty when it is not allowlisted. */
  portsOf(name: WireName): readonly AllowedPort[];
}

const remedy =
  'write [tcp|udp://]host:port, [tcp|udp://]*.host:port or [tcp|udp://]CIDR:port, for example *.example.com:443';

const nowhere: readonly AllowedPort[] = Object.freeze([]);

/** @throws CodedError `bad-allow-entry`, naming the entry */
export function compileAllowlist(entries: readonly string[]): Allowlist {
  const exact = new NameTable<AllowedPort[]>();
  const below = new NameTable<AllowedPort[]>();
  for (const entry of entries) {
    const parsed = parseEntry(entry);
    if (parsed === null) continue;
    const { name, wildcard, port } = parsed;
    const table = wildcard ? below : exact;
    const known = table.get(name);
    const ports = known ?? [];
    if (!ports.some((other) => samePort(port, other))) ports.push(port);
    if (known === undefined) table.add(name, ports);
  }
  return {
    portsOf(name) {
      const found = exact.get(name) ?? nowhere;
      if (below.isEmpty) return found;
      let all: readonly AllowedPort[] = found;
      for (let at = (name[0] as number) + 1; at < name.length - 1; at += (name[at] as number) + 1) {
        const more = below.get(name, at);
        if (more !== undefined) all = all.length === 0 ? more : [...all, ...more];
      }
      if (all.length < 2) return all;
      return all.filter((port, index) => all.findIndex((other) => samePort(port, other)) === index);
    },
  };
}

function samePort(a: AllowedPort, b: AllowedPort): boolean {
  return a.port === b.port && a.protocol === b.protocol;
}

interface ParsedEntry {
  readonly name: WireName;
  readonly wildcard: boolean;
  readonly port: AllowedPort;
}

/** Null for an entry with an address or CIDR: those are for the datapath, no name resolves to them. */
function parseEntry(entry: string): ParsedEntry | null {
  const refuse = (what: string) =>
    new CodedError('bad-allow-entry', `allow: ${JSON.stringify(entry.slice(0, 300))}: ${what}`, remedy);
  const [, scheme, host, digits] = /^(?:(tcp|udp):\/\/)?(.+):(\d{1,5})$/s.exec(entry) ?? [];
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= 65_535)) throw refuse('it has no port from 1 to 65535');
  if (parseAddress(host.replace(/[[\]]|\/.*/gs, '')) !== null) return null;
  const wildcard = host.startsWith('*.');
  const name = parseHostName(wildcard ? host.slice(2) : host);
  if (name === null) throw refuse('its host is neither a name of letters, digits, - and _, nor a CIDR');
  return { name, wildcard, port: { protocol: scheme === 'udp' ? 'udp' : 'tcp', port, entry } };
}
