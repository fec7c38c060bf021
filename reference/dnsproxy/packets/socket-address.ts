/**
 * struct sockaddr_in and sockaddr_in6 (linux/in.h, linux/in6.h) as endpoints and back.
 * Invariant: an endpoint that was read is answered at exactly the octets it came from, its scope included; how many are
 * remembered is bounded.
 */
import { CodedError } from '../../base/coded-error.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { formatAddress, parseAddress } from '../../decisions/pin-address/ip-address.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
/** Room for either, in whole words. */
export const socketAddressOctets = 32;
export const socketAddressLength = { [AF_INET]: 16, [AF_INET6]: 28 } as const;
const port = 2;
const ipv4Address = 4;
const ipv6Address = 8;

/** An endpoint beside its sockaddr. */
export class SocketEndpoint implements DnsEndpoint {
  readonly address: string;
  readonly port: number;
  readonly raw: Uint8Array;

  constructor(endpoint: DnsEndpoint, raw: Uint8Array) {
    this.address = endpoint.address;
    this.port = endpoint.port;
    this.raw = raw;
  }

  get family(): typeof AF_INET | typeof AF_INET6 {
    return this.raw.length === socketAddressLength[AF_INET] ? AF_INET : AF_INET6;
  }
}

/** @throws CodedError `bad-address` */
export function toSocketEndpoint(endpoint: DnsEndpoint): SocketEndpoint {
  if (endpoint instanceof SocketEndpoint) return endpoint;
  const address = parseAddress(endpoint.address);
  if (address === null) {
    throw new CodedError(
      'bad-address',
      `${JSON.stringify(endpoint.address.slice(0, 64))} is no address`,
      'write it as 10.0.0.1 or fd00::1',
    );
  }
  const family = address.length === 4 ? AF_INET : AF_INET6;
  const raw = new Uint8Array(socketAddressLength[family]);
  const view = new DataView(raw.buffer);
  view.setUint16(0, family, true);
  view.setUint16(port, endpoint.port);
  raw.set(address, family === AF_INET ? ipv4Address : ipv6Address);
  return new SocketEndpoint(endpoint, raw);
}

/** The endpoint of a sockaddr, or null when it is of neither family. */
export function readSocketAddress(bytes: Uint8Array, at: number): SocketEndpoint | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const family = view.getUint16(0, true);
  if (family !== AF_INET && family !== AF_INET6) return null;
  const raw = bytes.slice(at, at + socketAddressLength[family]);
  const address =
    family === AF_INET ? formatAddress(raw, ipv4Address, 4) : formatAddress(raw, ipv6Address, 16);
  return new SocketEndpoint({ address, port: view.getUint16(port) }, raw);
}

/** Does `raw` stand in the memory at `at`? */
export function sameOctets(memory: Uint8Array, at: number, raw: Uint8Array): boolean {
  for (let index = 0; index < raw.length; index++) if (memory[at + index] !== raw[index]) return false;
  return true;
}

const most = 4_096;

/** Those who were heard of: text is made once for each. */
export class EndpointCache {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #known = new Map<number | string, SocketEndpoint>();

  /** @param memory where the addresses that are read stand, at whole words */
  constructor(memory: ArrayBuffer) {
    this.#bytes = new Uint8Array(memory);
    this.#words = new Uint32Array(memory);
  }

  read(at: number): SocketEndpoint | null {
    const key = this.#key(at >> 2);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const endpoint = readSocketAddress(this.#bytes, at);
    if (endpoint === null) return null;
    // Whoever makes up addresses makes everybody's text anew, no more.
    if (this.#known.size >= most) this.#known.clear();
    this.#known.set(key, endpoint);
    return endpoint;
  }

  #key(word: number): number | string {
    const words = this.#words;
    const first = words[word] as number;
    if ((first & 0xffff) === AF_INET) return (words[word + 1] as number) * 65_536 + (first >>> 16);
    return words.slice(word, word + 7).join();
  }
}
