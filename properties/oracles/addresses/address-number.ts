/** Addresses as numbers: text to BigInt and back, by a parser of its own (RFC 4291, RFC 5952). */

export interface AddressNumber {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** Throws TypeError on text that is no address: oracles and generators write their own text. */
export function addressNumber(text: string): AddressNumber {
  if (!text.includes(':')) return { family: 4, value: quad(text) };
  const lastColon = text.lastIndexOf(':');
  const tail = text.slice(lastColon + 1);
  if (tail.includes('.')) {
    const low = quad(tail);
    const hex = `${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
    return addressNumber(text.slice(0, lastColon + 1) + hex);
  }
  const [left = '', right] = text.split('::');
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...after];
  if (groups.length !== 8) throw new TypeError(`no IPv6 address: ${text}`);
  let value = 0n;
  for (const group of groups) value = (value << 16n) | BigInt(`0x${group}`);
  return { family: 6, value };
}

function quad(text: string): bigint {
  const octets = text.split('.').map(Number);
  if (octets.length !== 4 || octets.some((octet) => !(octet >= 0 && octet <= 255))) {
    throw new TypeError(`no IPv4 address: ${text}`);
  }
  return octets.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

export function addressText({ family, value }: AddressNumber): string {
  if (family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => Number((value >> shift) & 0xffn)).join('.');
  }
  const hex = value.toString(16).padStart(32, '0');
  const groups = (hex.match(/.{4}/g) ?? []).map((group) => Number.parseInt(group, 16).toString(16));
  const text = groups.join(':');
  const runs = [...text.matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  const longest = runs[0];
  if (longest === undefined) return text;
  const head = text.slice(0, longest.index).replace(/:$/, '');
  const rest = text.slice(longest.index + longest[0].length).replace(/^:/, '');
  return `${head}::${rest}`;
}

export interface Interval {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** First and last address of a prefix `address/length`. */
export function intervalOf(prefix: string): Interval {
  const [address = '', length = ''] = prefix.split('/');
  const { family, value } = addressNumber(address);
  const free = BigInt((family === 4 ? 32 : 128) - Number(length));
  const first = (value >> free) << free;
  return { family, first, last: first + (1n << free) - 1n };
}

export function within({ first, last, family }: Interval, address: AddressNumber): boolean {
  return family === address.family && address.value >= first && address.value <= last;
}
