/**
 * Who asks, and how much of it is under way: by address, by sandbox, in all.
 * Invariant: what one client does too much of costs that client its answer, and nobody else's.
 */
import { TokenBucket } from '#reference/base/token-bucket.ts';

export interface ClientLimits {
  readonly maxInFlight: number;
  readonly maxInFlightPerSandbox: number;
  readonly maxInFlightPerClient: number;
  readonly maxClientsPerSandbox: number;
  readonly complaintsPerSecond: number;
}

export interface Client {
  readonly address: string;
  inFlight: number;
  /** Made when the first complaint is due. */
  complaints: TokenBucket | null;
}

/** One count for the whole proxy. */
export interface InFlight {
  total: number;
}

export class Clients {
  readonly #limits: ClientLimits;
  readonly #all: InFlight;
  readonly #clients = new Map<string, Client>();
  #inFlight = 0;

  constructor(limits: ClientLimits, all: InFlight) {
    this.#limits = limits;
    this.#all = all;
  }

  /** Null: more addresses than are kept apart, and all of them busy. */
  of(address: string, nowMs: number): Client | null {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    if (this.#clients.size >= this.#limits.maxClientsPerSandbox && !this.#forgetOne(nowMs)) return null;
    const client = { address, inFlight: 0, complaints: null };
    this.#clients.set(address, client);
    return client;
  }

  /** The one that has been there longest of those that nothing is known of: it owes nothing. */
  #forgetOne(nowMs: number): boolean {
    for (const client of this.#clients.values()) {
      if (client.inFlight > 0 || client.complaints?.isFull(nowMs) === false) continue;
      this.#clients.delete(client.address);
      return true;
    }
    return false;
  }

  /** One more under way; null when there is room, else the bound that is reached. */
  begin(client: Client): string | null {
    if (client.inFlight >= this.#limits.maxInFlightPerClient) return 'too many in flight of one client';
    if (this.#inFlight >= this.#limits.maxInFlightPerSandbox) return 'too many in flight of one sandbox';
    if (this.#all.total >= this.#limits.maxInFlight) return 'too many in flight';
    client.inFlight += 1;
    this.#inFlight += 1;
    this.#all.total += 1;
    return null;
  }

  end(client: Client): void {
    client.inFlight -= 1;
    this.#inFlight -= 1;
    this.#all.total -= 1;
  }

  /** May it be told what is wrong, this once? */
  mayComplain(client: Client, nowMs: number): boolean {
    client.complaints ??= new TokenBucket(this.#limits.complaintsPerSecond, nowMs);
    return client.complaints.take(nowMs);
  }
}
