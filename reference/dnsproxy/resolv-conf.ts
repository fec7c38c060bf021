/** Upstream servers from a resolv.conf(5): its `nameserver` lines, port 53; everything else is passed over. */
import { readFileSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { formatAddress, parseAddress } from '../decisions/pin-address/ip-address.ts';

const port = 53;
const maxOctets = 64 * 1_024;
/** As resolv.conf(5) has it, MAXNS. */
const maxServers = 3;

export function serversIn(text: string): DnsEndpoint[] {
  const found: DnsEndpoint[] = [];
  for (const line of text.split('\n')) {
    const [, address = ''] = /^\s*nameserver\s+(\S+)/.exec(line) ?? [];
    const bytes = parseAddress(address);
    // An address of a link (fe80::1%eth0) is passed over too: a query there is bound to no interface.
    if (bytes === null) continue;
    const canonical = formatAddress(bytes);
    if (!found.some((known) => known.address === canonical)) found.push({ address: canonical, port });
  }
  return found.slice(0, maxServers);
}

/** @throws CodedError `no-upstream` */
export function readServers(path: string): DnsEndpoint[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').slice(0, maxOctets);
  } catch (cause) {
    throw noServer(
      `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
  const servers = serversIn(text);
  if (servers.length === 0) throw noServer(`${path} names no server that can be asked`);
  return servers;
}

export function noServer(what: string, cause?: unknown): CodedError {
  return new CodedError(
    'no-upstream',
    what,
    'name a server with --upstream ADDRESS[:PORT], or give a resolv.conf that has a nameserver line',
    { cause },
  );
}
