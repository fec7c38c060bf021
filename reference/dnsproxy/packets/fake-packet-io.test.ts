/** The fake keeps the contract of every `PacketIo`: tests of the proxy stand on it. */
import { describe } from 'vitest';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { endpointText } from '../bind-refusal.ts';
import { FakePacketIo } from './fake-packet-io.ts';
import { type PacketGround, type PacketPeer, packetIoContract } from './packet-io-contract.ts';

type Datagram = Awaited<ReturnType<PacketPeer['next']>>;

/** A network of peers around the fake: everything takes one turn of the event loop. */
class FakeNetwork {
  readonly io = new FakePacketIo();
  readonly #boxes = new Map<string, (datagram: Datagram) => void>();
  readonly #ports = new Map<number, number>();
  #nextPort = 40_000;
  #round: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor() {
    this.io.onSent = () => this.#later();
  }

  readonly free = (): DnsEndpoint => ({ address: '127.0.0.1', port: this.#nextPort++ });

  peer(): PacketPeer {
    const endpoint = this.free();
    const text = endpointText(endpoint);
    const heard: Datagram[] = [];
    let waiting: ((datagram: Datagram) => void) | null = null;
    this.io.taken.add(text);
    this.#boxes.set(text, (datagram) => {
      if (waiting === null) heard.push(datagram);
      else waiting(datagram);
      waiting = null;
    });
    return {
      endpoint,
      send: (to, message) => {
        const copy = Uint8Array.from(message);
        setImmediate(() => this.#deliver(endpoint, to, copy));
      },
      next: () =>
        new Promise((resolve) => {
          const datagram = heard.shift();
          if (datagram === undefined) waiting = resolve;
          else resolve(datagram);
        }),
      close: () => void this.#boxes.delete(text),
    };
  }

  #deliver(from: DnsEndpoint, to: DnsEndpoint, message: Uint8Array): void {
    const socket = [...this.#ports].find(([, port]) => port === to.port)?.[0];
    if (socket !== undefined) this.io.reply(socket, message, from);
    else this.io.arrive(to, from, message);
    this.#later();
  }

  #later(): void {
    this.#round ??= setImmediate(() => {
      this.#round = null;
      this.#turn();
    });
  }

  #turn(): void {
    const waitMs = this.io.round(performance.now());
    for (const { socket, upstream, message } of this.io.asked.splice(0)) {
      const port = this.#ports.get(socket) ?? this.free().port;
      this.#ports.set(socket, port);
      this.#boxes.get(endpointText(upstream))?.({ from: { address: '127.0.0.1', port }, message });
    }
    for (const { from, client, message } of this.io.answered.splice(0)) {
      this.#boxes.get(endpointText(client))?.({ from, message });
    }
    if (Number.isFinite(waitMs)) this.#timer ??= setTimeout(() => this.#timeCame(), waitMs);
  }

  #timeCame(): void {
    this.#timer = null;
    this.#later();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#round !== null) clearImmediate(this.#round);
    this.io.onSent = () => undefined;
    this.io.close();
  }
}

async function ground(): Promise<PacketGround> {
  const network = new FakeNetwork();
  return {
    io: network.io,
    freeEndpoint: async () => network.free(),
    peer: async () => network.peer(),
    close: async () => network.close(),
  };
}

describe('fake-packet-io', () => packetIoContract(ground));
