/**
 * Lines about what was refused: so many a second, and then how many were left out.
 * Invariant: whatever a guest or a server sends, a line holds printable ASCII alone, of bounded length.
 */
import { TokenBucket } from '#reference/base/token-bucket.ts';
import type { WireName } from '../../decisions/dns-answer/name.ts';

export interface RefusalLine {
  readonly level: 'info' | 'warn';
  readonly what: string;
  readonly rule: string;
  readonly tap?: string;
  readonly client?: string;
  readonly name?: string;
  readonly address?: string;
  /** Lines that were left out since the last one. */
  readonly leftOut?: number;
}

export class RefusalLog {
  readonly #write: (line: RefusalLine) => void;
  readonly #perSecond: number;
  #bucket: TokenBucket | null = null;
  #leftOut = 0;
  #saidMs = 0;

  constructor(write: (line: RefusalLine) => void, perSecond: number) {
    this.#write = write;
    this.#perSecond = perSecond;
  }

  /** `make` is called only for a line that is written. True when it was. */
  add(nowMs: number, make: () => RefusalLine): boolean {
    this.#bucket ??= new TokenBucket(this.#perSecond, nowMs);
    if (!this.#bucket.take(nowMs)) {
      this.#leftOut += 1;
      return false;
    }
    const line = make();
    this.#write(this.#leftOut === 0 ? line : { ...line, leftOut: this.#leftOut });
    this.#leftOut = 0;
    this.#saidMs = nowMs;
    return true;
  }

  /** Says what was left out when nothing else is said for a second. When it wants to be called again. */
  tick(nowMs: number): number {
    if (this.#leftOut === 0) return Number.POSITIVE_INFINITY;
    if (nowMs < this.#saidMs + 1_000) return this.#saidMs + 1_000;
    this.#write({
      level: 'info',
      what: 'refusals left out of the log',
      rule: 'rate',
      leftOut: this.#leftOut,
    });
    this.#leftOut = 0;
    this.#saidMs = nowMs;
    return Number.POSITIVE_INFINITY;
  }
}

/** Presentation form of a name (RFC 1035 section 5.1), with everything that is not printable as `\DDD`. */
export function printedName(name: WireName): string {
  let text = '';
  for (let at = 0; at < name.length && name[at] !== 0; ) {
    const end = at + (name[at] as number) + 1;
    if (at > 0) text += '.';
    for (at += 1; at < end && at < name.length; at++) {
      const octet = name[at] as number;
      if (octet === 0x2e || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`;
      else if (octet > 0x20 && octet < 0x7f && octet !== 0x22) text += String.fromCharCode(octet);
      else text += `\\${String(octet).padStart(3, '0')}`;
    }
  }
  return text === '' ? '.' : text;
}
