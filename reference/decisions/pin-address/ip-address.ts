/**
 * Text and bytes of IP addresses (RFC 4291 section 2.2, RFC 5952): strict and total; no zone, no leading
 * zeros in a dotted quad, no shorthand.
 */
import { CodedError } from '#reference/base/coded-error.ts';

const longestText = 45;
const dottedQuad = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** 4 or 16 octets, or null when the text is no address. */
export function parseAddress(text: string): Uint8Array | null {
  if (text.length > longestText) return null;
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | null {
  return dottedQuad.test(text) ? Uint8Array.from(text.split('.'), Number) : null;
}

function parseIpv6(text: string): Uint8Array | null {
  const gap = text.indexOf('::');
  const bytes = new Uint8Array(16);
  if (gap === -1) {
    const all = parseGroups(text, true);
    if (all === null || all.length !== 16) return null;
    bytes.set(all);
    return bytes;
  }
  const head = gap === 0 ? [] : parseGroups(text.slice(0, gap), false);
  const tail = gap === text.length - 2 ? [] : parseGroups(text.slice(gap + 2), true);
  // "::" stands for at least one group of zeros; a second one leaves an empty group, which is refused.
  if (head === null || tail === null || head.length + tail.length > 14) return null;
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Octets of colon-separated groups; only the last group of the whole address may be a dotted quad. */
function parseGroups(text: string, quadMayEnd: boolean): number[] | null {
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const quad = quadMayEnd && index === groups.length - 1 ? parseIpv4(group) : null;
    if (quad === null) return null;
    bytes.push(...quad);
  }
  return bytes;
}

/** RFC 5952 text of 4 or 16 octets; IPv4-mapped addresses are written in hex groups like any other. */
export function formatAddress(bytes: Uint8Array, offset = 0, length = bytes.length): string {
  if (length === 4) return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
  const groups: number[] = [];
  for (let at = offset; at < offset + 16; at += 2)
    groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  const run = longestZeroRun(groups);
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  if (run.length < 2) return hex(0, 8);
  return `${hex(0, run.start)}::${hex(run.start + run.length, 8)}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  return best;
}

export interface Prefix {
  /** 4 or 16 octets; host bits are zero. */
  readonly bytes: Uint8Array;
  /** In bits. */
  readonly length: number;
  readonly text: string;
}

/**
 * A prefix `address/length` without host bits.
 * @param field which part of the configuration it stands in, for the message
 * @throws CodedError `bad-prefix`
 */
export function parsePrefix(text: string, field: string): Prefix {
  const [, address = '', digits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const bytes = parseAddress(address);
  const length = Number(digits);
  const refuse = (what: string) =>
    new CodedError(
      'bad-prefix',
      `${field}: ${JSON.stringify(text.slice(0, 64))} ${what}`,
      'write it as 10.96.0.0/12 or fd00::/8',
    );
  if (bytes === null) throw refuse('is no address with a prefix length');
  if (length > bytes.length * 8) throw refuse(`has a length over ${bytes.length * 8}`);
  for (let bit = length; bit < bytes.length * 8; bit++) {
    if (((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0) throw refuse('has host bits set');
  }
  return { bytes, length, text };
}
