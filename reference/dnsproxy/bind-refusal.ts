/** Why a resolver address could not be bound, in words: one place for every adapter, UDP and TCP. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { DnsEndpoint } from '../contract/dns-port.ts';

export function endpointText({ address, port }: DnsEndpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** @param code errno's name: EADDRINUSE … */
export function bindRefusal(
  transport: 'udp' | 'tcp',
  endpoint: DnsEndpoint,
  code: string,
  cause: unknown,
): CodedError {
  const where = `${transport} ${endpointText(endpoint)}`;
  if (code === 'EADDRINUSE') {
    return new CodedError(
      'address-taken',
      `another process listens on ${where}`,
      'see who with ss -lnup and ss -lntp; end it, or name another address',
      { cause },
    );
  }
  if (code === 'EADDRNOTAVAIL') {
    return new CodedError(
      'no-such-address',
      `no interface has the address of ${where}`,
      'name one that ip address shows, in the same network namespace',
      { cause },
    );
  }
  return new CodedError(
    'address-refused',
    `the kernel refused to bind ${where}: ${code}`,
    'a port below 1024 needs CAP_NET_BIND_SERVICE, or net.ipv4.ip_unprivileged_port_start at most as high',
    { cause },
  );
}
