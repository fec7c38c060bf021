/** What is wrong with a sandbox's policy or addresses, said before anything is done; the entry is always named. */
import { domainToASCII } from 'node:url';
import { CodedError } from '#reference/base/coded-error.ts';
import type { DnsEndpoint } from '../contract/dns-port.ts';
import { formatAddress, parseAddress } from '../decisions/pin-address/ip-address.ts';
import { endpointText } from './bind-refusal.ts';

const quoted = (entry: string) => JSON.stringify(entry.slice(0, 300));

function refuse(entry: string, what: string, remedy: string): CodedError {
  return new CodedError('bad-allow-entry', `allow: ${quoted(entry)}: ${what}`, remedy);
}

/**
 * Entries that a person gets wrong in a way that can be said better than that no name is meant.
 * @throws CodedError `bad-allow-entry`
 */
export function checkAllowEntries(allow: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const entry of allow) {
    const [, scheme = 'tcp', host = '', port = ''] = /^(?:(tcp|udp):\/\/)?(.*?)(:\d+)?$/s.exec(entry) ?? [];
    if (/[^ -~]/.test(host)) throw refuse(entry, 'its host is no ASCII', aLabelHint(entry, host));
    if (/^.+\*|^\*(?!\.)/.test(host)) {
      throw refuse(
        entry,
        'a wildcard stands for whole labels at the beginning, and nowhere else',
        'write *.example.com:443, or each name by itself',
      );
    }
    const meaning = `${scheme} ${host.toLowerCase().replace(/\.$/, '')}${port}`;
    const first = seen.get(meaning);
    if (first !== undefined)
      throw refuse(entry, `it says the same as ${quoted(first)}`, 'leave one of them out');
    seen.set(meaning, entry);
  }
}

function aLabelHint(entry: string, host: string): string {
  const wildcard = host.startsWith('*.') ? '*.' : '';
  const ascii = domainToASCII(host.slice(wildcard.length));
  if (ascii === '') return 'write the name in ASCII: labels of letters, digits, - and _';
  return `write the A-label: ${JSON.stringify(entry.replace(host, `${wildcard}${ascii}`).slice(0, 300))}`;
}

/**
 * The endpoint with its address in canonical text (RFC 5952).
 * @throws CodedError `bad-endpoint`
 */
export function checkEndpoint(what: string, { address, port }: DnsEndpoint): DnsEndpoint {
  const bytes = parseAddress(address);
  const remedy = 'write ADDRESS:PORT, for example 192.0.2.53:53 or [2001:db8::53]:53';
  if (bytes === null) {
    throw new CodedError(
      'bad-endpoint',
      `${what}: ${JSON.stringify(address.slice(0, 100))} is no address`,
      remedy,
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new CodedError(
      'bad-endpoint',
      `${what}: ${endpointText({ address, port })}: the port is not 1 to 65535`,
      remedy,
    );
  }
  const isMapped = bytes.length === 16 && formatAddress(bytes).startsWith('::ffff:');
  if (isMapped) {
    throw new CodedError(
      'bad-endpoint',
      `${what}: ${address} is an IPv4 address in IPv6's clothes`,
      'write the IPv4 address',
    );
  }
  return { address: formatAddress(bytes), port };
}

/**
 * A server that is a listener of ours would be asked what it was asked.
 * @throws CodedError `upstream-loop`
 */
export function checkLoops(
  listeners: readonly DnsEndpoint[],
  upstreams: readonly DnsEndpoint[],
  ownAddresses: readonly string[],
): void {
  for (const listener of listeners) {
    const isWild = listener.address === '0.0.0.0' || listener.address === '::';
    for (const upstream of upstreams) {
      if (upstream.port !== listener.port) continue;
      const isOwn =
        upstream.address === listener.address || (isWild && isLocal(upstream.address, ownAddresses));
      if (!isOwn) continue;
      throw new CodedError(
        'upstream-loop',
        `the upstream server ${endpointText(upstream)} is this proxy itself, which listens on ${endpointText(listener)}`,
        'name the server that this machine asks, as in /run/systemd/resolve/resolv.conf',
      );
    }
  }
}

function isLocal(address: string, ownAddresses: readonly string[]): boolean {
  return address.startsWith('127.') || ownAddresses.includes(address);
}
