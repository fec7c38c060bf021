/**
 * Text and bytes of IP addresses (RFC 4291 section 2.2, RFC 5952): strict and total; no zone, no leading
 * zeros in a dotted quad, no shorthand.
 */
import { CodedError } from '#reference/base/coded-error.ts';

const longestText = 45;

/** 4 or 16 octets, or null when the text is no address. One pass: a selection reads those of every pod. */
export function parseAddress(text: string): Uint8Array | null {
  if (text.length > longestText) return null;
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | null {
  const bytes = new Uint8Array(4);
  let filled = 0;
  let value = -1;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit === -2) {
      if (value === -1 || filled === 3) return null;
      bytes[filled] = value;
      filled += 1;
      value = -1;
      continue;
    }
    // A leading zero means octal to some.
    if (digit < 0 || digit > 9 || value === 0) return null;
    value = value === -1 ? digit : value * 10 + digit;
    if (value > 255) return null;
  }
  if (value === -1 || filled !== 3) return null;
  bytes[3] = value;
  return bytes;
}

function parseIpv6(text: string): Uint8Array | null {
  const bytes = new Uint8Array(16);
  let filled = 0;
  let gap = text.startsWith('::') ? 0 : -1;
  for (let at = gap === 0 ? 2 : 0; at < text.length; ) {
    const start = at;
    let value = 0;
    for (let digit = hexDigit(text, at); digit !== -1 && at < start + 4; digit = hexDigit(text, at)) {
      value = (value << 4) | digit;
      at += 1;
    }
    // Only what is left of the text may be a dotted quad.
    const quad = text[at] === '.' ? parseIpv4(text.slice(start)) : null;
    if (filled + (quad?.length ?? 2) > 16 || at === start) return null;
    if (quad !== null) {
      bytes.set(quad, filled);
      filled += 4;
      break;
    }
    bytes[filled] = value >> 8;
    bytes[filled + 1] = value & 0xff;
    filled += 2;
    if (at === text.length) break;
    if (text[at] !== ':' || at + 1 === text.length) return null;
    at += 1;
    if (text[at] !== ':') continue;
    if (gap !== -1) return null;
    gap = filled;
    at += 1;
  }
  if (gap === -1) return filled === 16 ? bytes : null;
  // "::" stands for at least one group of zeros.
  if (filled > 14) return null;
  const tail = 16 - (filled - gap);
  bytes.copyWithin(tail, gap, filled);
  return bytes.fill(0, gap, tail);
}

/** The value of a hex digit, or -1. */
function hexDigit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
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
