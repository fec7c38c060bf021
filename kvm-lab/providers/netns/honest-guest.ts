/**
 * A kernel of its own behind the tap, in a namespace, so that a hostile guest can send on the same tap while an honest
 * one works.
 */
import { isIPv4 } from 'node:net';
import type { SandboxPlace } from '#properties/subjects/datapath-protocol.ts';
import type { HonestGuest, Place } from '../network-lab.ts';
import type { TapEnd } from './guest-end.ts';
import { CallError, closeAside, openTap, readFd, writeFd } from './kernel-calls.ts';
import { Namespace } from './namespace.ts';
import type { Reactor } from './reactor.ts';
import { DatagramSocket, dialTcp } from './sockets.ts';

const chunk = Buffer.alloc(1 << 17);

/** Where the honest kernel is, and its interface there. */
export interface GuestWire {
  readonly namespace: Namespace;
  readonly device: string;
  close(): void;
}

/** A namespace of its own, wired to the tap's end frame by frame. */
export function tapWire(reactor: Reactor, end: TapEnd): GuestWire {
  const namespace = Namespace.create();
  const device = 'eth0';
  const fd = namespace.within(() => openTap(device));
  end.onFrame = (frame) => {
    try {
      writeFd(fd, frame);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
    }
  };
  reactor.read(fd, () => {
    for (let octets = readFd(fd, chunk); octets !== null; octets = readFd(fd, chunk)) {
      end.send(chunk.subarray(0, octets));
    }
  });
  const close = () => {
    end.onFrame = null;
    reactor.forget(fd);
    closeAside(fd);
    namespace.close();
  };
  return { namespace, device, close };
}

/** The other end of a veth that stands for the tap: its kernel becomes the guest's. */
export const vethWire = (device: string, namespace: Namespace): GuestWire => ({
  namespace,
  device,
  close: () => void namespace.try('ip', ['addr', 'flush', 'dev', device]),
});

export class NamespaceGuest implements HonestGuest {
  readonly #namespace: Namespace;
  readonly #reactor: Reactor;
  readonly #wire: GuestWire;

  constructor(reactor: Reactor, { guestMac, ipv4 }: SandboxPlace, wire: GuestWire) {
    this.#reactor = reactor;
    this.#wire = wire;
    this.#namespace = wire.namespace;
    const lines = [
      `link set dev ${wire.device} address ${guestMac}`,
      'link set dev lo up',
      `addr add ${ipv4.guest}/30 dev ${wire.device}`,
      `link set dev ${wire.device} up`,
      `route add default via ${ipv4.gateway}`,
    ];
    this.#namespace.run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  }

  async pathMtu(to: string): Promise<number> {
    const route = this.#namespace.run('ip', ['route', 'get', to]);
    return Number(/\bmtu (\d+)/.exec(route)?.[1] ?? Number.NaN);
  }

  async exchange(
    protocol: 'tcp' | 'udp',
    to: Place,
    request: Buffer,
    enough: (answer: Buffer) => boolean,
    deadlineMs: number,
  ): Promise<{ answer: Buffer; latencyMs: number } | { refused: string }> {
    const begun = performance.now();
    const parts: Buffer[] = [];
    let settle: (refused: string | null) => void = () => undefined;
    const settled = new Promise<string | null>((resolve) => {
      settle = resolve;
    });
    const timer = setTimeout(() => settle(`no answer within ${deadlineMs} ms`), deadlineMs);
    const take = (data: Buffer | null) => {
      if (data !== null) parts.push(data);
      if (data === null || enough(Buffer.concat(parts)))
        settle(data === null ? 'closed before its end' : null);
    };
    const close = await this.#start(protocol, to, request, take, settle, deadlineMs);
    const refused = await settled;
    clearTimeout(timer);
    close();
    if (refused !== null) return { refused };
    return { answer: Buffer.concat(parts), latencyMs: performance.now() - begun };
  }

  async #start(
    protocol: 'tcp' | 'udp',
    to: Place,
    request: Buffer,
    take: (data: Buffer | null) => void,
    settle: (refused: string) => void,
    deadlineMs: number,
  ): Promise<() => void> {
    if (protocol === 'udp') {
      const any = { address: isIPv4(to.address) ? '0.0.0.0' : '::', port: 0 };
      const socket = new DatagramSocket(this.#reactor, this.#namespace, any, (data) => take(data));
      socket.send(request, to);
      return () => socket.close();
    }
    const dialled = await dialTcp(this.#reactor, this.#namespace, { to, deadlineMs }, take);
    if ('refused' in dialled) {
      settle(dialled.refused);
      return () => undefined;
    }
    dialled.connection.send(request);
    return () => dialled.connection.close();
  }

  close(): void {
    this.#wire.close();
  }
}
