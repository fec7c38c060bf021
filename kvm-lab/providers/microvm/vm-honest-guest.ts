/** The guest's own kernel in a microVM, so that a hostile guest can send on the same eth0 while an honest one works. */
import type { HonestGuest, Place } from '../network-lab.ts';
import type { VmGuest } from './vm-guest.ts';

let lastExchange = 0;

export class VmHonestGuest implements HonestGuest {
  readonly #guest: VmGuest;
  readonly #ready: Promise<unknown>;

  constructor(guest: VmGuest) {
    this.#guest = guest;
    const { guest: address, gateway } = guest.place.ipv4;
    this.#ready = guest.order({ do: 'be-honest', address: `${address}/30`, gateway });
    // Told to who exchanges something.
    this.#ready.catch(() => undefined);
  }

  async pathMtu(to: string): Promise<number> {
    await this.#ready;
    return Number((await this.#guest.order({ do: 'path-mtu', address: to })).text);
  }

  async exchange(
    protocol: 'tcp' | 'udp',
    to: Place,
    request: Buffer,
    enough: (answer: Buffer) => boolean,
    deadlineMs: number,
  ): Promise<{ readonly answer: Buffer; readonly latencyMs: number } | { readonly refused: string }> {
    await this.#ready;
    const exchange = ++lastExchange;
    const parts: Buffer[] = [];
    const settled = Promise.withResolvers<string | null>();
    const begun = performance.now();
    const timer = setTimeout(() => settled.resolve(`no answer within ${deadlineMs} ms`), deadlineMs);
    this.#guest.onData(exchange, (octets) => {
      parts.push(octets);
      if (octets.length === 0) settled.resolve('closed before its end');
      else if (enough(Buffer.concat(parts))) settled.resolve(null);
    });
    try {
      await this.#guest.order({ do: 'exchange', exchange, protocol, ...to, deadlineMs });
      this.#guest.sendData(exchange, request);
      const refused = await settled.promise;
      const latencyMs = performance.now() - begun;
      await this.#guest.order({ do: 'close', exchange });
      return refused === null ? { answer: Buffer.concat(parts), latencyMs } : { refused };
    } finally {
      clearTimeout(timer);
      this.#guest.onData(exchange, null);
    }
  }

  close(): void {
    // The VM may have ended before.
    this.#guest.order({ do: 'be-silent' }).catch(() => undefined);
  }
}
