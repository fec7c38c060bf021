/**
 * A kernel of its own behind the tap: a namespace whose interface is wired to the guest's end, frame by frame,
 * so that a hostile guest can send on the same tap while an honest one works.
 */
import { isIPv4 } from 'node:net';
import type { HonestGuest, Place } from '../network-lab.ts';
import type { TapEnd } from './guest-end.ts';
import { CallError, closeAside, openTap, readFd, writeFd } from './kernel-calls.ts';
import { Namespace } from './namespace.ts';
import type { Reactor } from './reactor.ts';
import { DatagramSocket, dialTcp } from './sockets.ts';

const chunk = Buffer.alloc(1 << 17);

export class NamespaceGuest implements HonestGuest {
  readonly #namespace = Namespace.create();
  readonly #reactor: Reactor;
  readonly #end: TapEnd;
  readonly #fd: number;

  constructor(reactor: Reactor, end: TapEnd) {
    this.#reactor = reactor;
    this.#end = end;
    this.#fd = this.#namespace.within(() => openTap('eth0'));
    const { guestMac, ipv4 } = end.place;
    const lines = [
      `link set dev eth0 address ${guestMac}`,
      'link set dev lo up',
      `addr add ${ipv4.guest}/30 dev eth0`,
      'link set dev eth0 up',
      `route add default via ${ipv4.gateway}`,
    ];
    this.#namespace.run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
    end.onFrame = (frame) => {
      this.#give(frame);
    };
    reactor.read(this.#fd, () => this.#pump());
  }

  #give(frame: Buffer): void {
    try {
      writeFd(this.#fd, frame);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
    }
  }

  #pump(): void {
    for (let octets = readFd(this.#fd, chunk); octets !== null; octets = readFd(this.#fd, chunk)) {
      this.#end.send(chunk.subarray(0, octets));
    }
  }

  ip(words: string): string {
    return this.#namespace.run('ip', words.split(' '));
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
    this.#end.onFrame = null;
    this.#reactor.forget(this.#fd);
    closeAside(this.#fd);
    this.#namespace.close();
  }
}
