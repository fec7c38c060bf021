/** ADDR:PORT as text and as numbers, and whose it is. */
import { isIP } from 'node:net';
import { CodedError } from '#reference/base/coded-error.ts';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** `127.0.0.1:53`, `[::1]:53`. Throws CodedError `bad-dns-flag`. */
export function parseEndpoint(flag: string, text: string, leastPort = 1): Endpoint {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  const port = Number(digits);
  const family = isIP(address);
  const sound = family !== 0 && (family === 6) === (bracketed !== undefined);
  if (!sound || !(port >= leastPort && port <= 65_535)) {
    throw new CodedError(
      'bad-dns-flag',
      `${flag} ${text} is no address and port`,
      'write 127.0.0.1:53 or [::1]:53; names are not looked up',
    );
  }
  return { address, port };
}

export function endpointText({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function isLoopback({ address }: Endpoint): boolean {
  return address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}
