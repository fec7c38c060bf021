/** `ADDRESS`, `ADDRESS:PORT`, `[IPV6]:PORT` as an endpoint. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { parseAddress } from '../decisions/pin-address/ip-address.ts';
import { checkEndpoint } from './check-policy.ts';

/**
 * @param what the flag, for the message
 * @throws CodedError `bad-endpoint`
 */
export function parseEndpoint(what: string, text: string, defaultPort: number): DnsEndpoint {
  if (parseAddress(text) !== null) return checkEndpoint(what, { address: text, port: defaultPort });
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^[\]:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) {
    throw new CodedError(
      'bad-endpoint',
      `${what}: ${JSON.stringify(text.slice(0, 100))} is no ADDRESS[:PORT]`,
      'write 192.0.2.53, 192.0.2.53:53 or [2001:db8::53]:53',
    );
  }
  return checkEndpoint(what, { address, port: digits === undefined ? defaultPort : Number(digits) });
}
