/**
 * What is known of names, found by their octets: no text is made of what a stranger asks.
 * Invariant: a look-up costs the octets of the name and of those few that share its length and hash; whose names are in
 * the table is the operator's choice alone, so that nobody who asks makes it slow.
 */
import type { WireName } from './name.ts';

interface Entry<T> {
  readonly name: WireName;
  readonly value: T;
}

/** FNV-1a over the octets from `offset` on. */
function hashOf(name: WireName, offset: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = offset; at < name.length; at++) hash = Math.imul(hash ^ (name[at] as number), 0x01000193);
  return hash;
}

function isEndOf(name: WireName, offset: number, end: WireName): boolean {
  // Of another length they differ before the shorter one is over: its root ends it.
  for (let at = 0; at < end.length; at++) if (name[offset + at] !== end[at]) return false;
  return true;
}

export class NameTable<T> {
  readonly #entries = new Map<number, Entry<T>[]>();
  /** 1 for each length that some name has: most ends of a name are as long as none. */
  readonly #lengths = new Uint8Array(256);

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** A name that is not in the table yet. */
  add(name: WireName, value: T): void {
    const hash = hashOf(name, 0);
    this.#entries.set(hash, [...(this.#entries.get(hash) ?? []), { name, value }]);
    this.#lengths[name.length] = 1;
  }

  /** Of the name that begins at `offset` of `name`: at one of its labels. */
  get(name: WireName, offset = 0): T | undefined {
    if (this.#lengths[name.length - offset] !== 1) return undefined;
    const entries = this.#entries.get(hashOf(name, offset));
    if (entries === undefined) return undefined;
    for (const entry of entries) if (isEndOf(name, offset, entry.name)) return entry.value;
    return undefined;
  }
}
