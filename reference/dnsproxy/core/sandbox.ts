/** What the core keeps of one sandbox, and of one question that a guest waits for. */
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import type { DnsPolicy, Transport } from '../../decisions/dns-answer/dns-policy.ts';
import { nameKey } from '../../decisions/dns-answer/name.ts';
import type { Message, Question } from '../../decisions/dns-answer/wire.ts';
import type { Client, Clients } from './clients.ts';
import type { ReplyCache } from './reply-cache.ts';

export interface Sandbox {
  readonly tap: string;
  readonly listeners: readonly number[];
  readonly clients: Clients;
  readonly cache: ReplyCache;
  policy: DnsPolicy;
}

/** Where a message came from, and where its answer goes. */
export interface Origin {
  readonly sandbox: Sandbox;
  /** -1: it came over TCP. */
  readonly listener: number;
  /** -1: it came over UDP. */
  readonly connection: number;
  readonly endpoint: DnsEndpoint;
  readonly transport: Transport;
  readonly startMs: number;
}

export interface Waiter extends Origin {
  readonly client: Client;
  readonly guest: Message;
}

/** Canonical name and type, as one key. */
export function questionKey({ name, type }: Question): string {
  return nameKey(name, 0, type);
}
