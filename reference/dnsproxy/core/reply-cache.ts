/**
 * Replies of upstream servers, as they came, until the first of their TTLs is over. One for each sandbox: what one
 * guest asked is not to be felt by another.
 * Invariant: bounded in entries and octets; TTLs count down; a hit is planned, pinned and answered like a reply that
 * has just come, so that nothing that is kept here outlives a pin.
 */
import type { Message } from '../../decisions/dns-answer/wire.ts';

interface Entry {
  readonly reply: Message;
  readonly storedMs: number;
  readonly endMs: number;
}

export interface CacheLimits {
  readonly cacheEntries: number;
  readonly cacheOctets: number;
  readonly ttlCeilingSeconds: number;
}

/** What an entry costs beside its octets: names and records that were read. */
const overheadOctets = 512;
const sizeOf = ({ reply }: Entry) => reply.bytes.length + reply.answers.length * 64 + overheadOctets;

export class ReplyCache {
  readonly #limits: CacheLimits;
  /** The one that was used least lately first. */
  readonly #entries = new Map<string, Entry>();
  #octets = 0;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  /** Negative answers are not kept: they cost a guest one more question, and an upstream that errs is forgotten. */
  put(key: string, reply: Message, nowMs: number): void {
    if (this.#limits.cacheEntries === 0 || reply.answers.length === 0) return;
    let ttlSeconds = this.#limits.ttlCeilingSeconds;
    for (const record of reply.answers) ttlSeconds = Math.min(ttlSeconds, record.ttlSeconds);
    // Octets of its own: what comes is part of a block that it would hold.
    const own = { ...reply, bytes: Uint8Array.from(reply.bytes) };
    const entry = { reply: own, storedMs: nowMs, endMs: nowMs + ttlSeconds * 1_000 };
    if (ttlSeconds === 0 || sizeOf(entry) > this.#limits.cacheOctets) return;
    this.#remove(key);
    this.#entries.set(key, entry);
    this.#octets += sizeOf(entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limits.cacheEntries && this.#octets <= this.#limits.cacheOctets) break;
      this.#remove(oldest);
    }
  }

  /** The reply with what is left of its TTLs, rounded down. */
  get(key: string, nowMs: number): Message | null {
    const entry = this.#entries.get(key);
    if (entry === undefined) return null;
    if (entry.endMs <= nowMs) {
      this.#remove(key);
      return null;
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const ageSeconds = Math.ceil((nowMs - entry.storedMs) / 1_000);
    const { reply } = entry;
    return {
      ...reply,
      answers: reply.answers.map((record) => ({
        ...record,
        ttlSeconds: Math.max(0, record.ttlSeconds - ageSeconds),
      })),
    };
  }

  get size(): number {
    return this.#entries.size;
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#octets -= sizeOf(entry);
    this.#entries.delete(key);
  }
}
