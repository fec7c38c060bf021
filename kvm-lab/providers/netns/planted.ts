/** The listeners of pod and world, each of which notes whoever reaches it. */
import { dnsMessage } from '#kvm-lab/frames/transport.ts';
import type { Place, Reached } from '../network-lab.ts';
import {
  guest,
  guest6,
  hosts,
  listenerPorts,
  openPorts,
  resolverPort,
  router,
  sibling,
  uplink,
} from '../topology.ts';
import type { Namespace } from './namespace.ts';
import type { Reactor } from './reactor.ts';
import { type Connection, DatagramSocket, type Listener, listenTcp } from './sockets.ts';

const maxText = 64;
const maxNotes = 50_000;

export class Planted {
  readonly reached: Reached[] = [];
  readonly #reactor: Reactor;
  readonly #namespace: Namespace;
  readonly #listeners: { readonly place: Place; readonly listener: Listener }[] = [];

  constructor(reactor: Reactor, namespace: Namespace) {
    this.#reactor = reactor;
    this.#namespace = namespace;
  }

  note(what: Reached['what'], listener: string, local: Place, peer: Place, data: Buffer): void {
    if (this.reached.length >= maxNotes) return;
    const text = data.subarray(0, maxText).toString('latin1');
    this.reached.push({ atMs: performance.now(), what, listener, local, peer, text });
  }

  /** Answers with what it was told, or with what `answer` makes of it. */
  tcp(
    listener: string,
    place: Place,
    answer: (data: Buffer, of: Connection) => Buffer = (data) => data,
  ): void {
    this.#keep(
      place,
      listenTcp(
        this.#reactor,
        this.#namespace,
        place,
        (peer, local) => this.note('accepted', listener, local, peer, Buffer.alloc(0)),
        (data, of) => {
          if (data === null) return;
          this.note('data', listener, of.local, of.peer, data);
          of.send(answer(data, of));
        },
      ),
    );
  }

  /** Answers with what `answer` makes of it; one that only notes cannot be made to talk to another for ever. */
  udp(listener: string, place: Place, answer?: (data: Buffer) => Buffer): DatagramSocket {
    const socket = new DatagramSocket(this.#reactor, this.#namespace, place, (data, from, self) => {
      this.note('datagram', listener, self.local, from, data);
      if (answer !== undefined) self.send(answer(data), from);
    });
    this.#keep(place, socket);
    return socket;
  }

  /** A socket that only waits for answers of `server`: the resolver's side towards upstream. */
  client(listener: string, place: Place, server: Place): DatagramSocket {
    const note = (data: Buffer, from: Place, self: DatagramSocket) =>
      this.note('datagram', listener, self.local, from, data);
    const socket = new DatagramSocket(this.#reactor, this.#namespace, place, note, server);
    this.#keep(place, socket);
    return socket;
  }

  #keep(place: Place, listener: Listener): void {
    this.#listeners.push({ place, listener });
  }

  /** Those of a port alone, or all. */
  close(port?: number): void {
    const closed = this.#listeners.filter(({ place }) => port === undefined || place.port === port);
    for (const one of closed) {
      one.listener.close();
      this.#listeners.splice(this.#listeners.indexOf(one), 1);
    }
  }
}

/** What a question is answered with: its name at a fixed address. */
function answerOf(question: Buffer): Buffer {
  const id = question.length >= 2 ? question.readUInt16BE(0) : 0;
  return dnsMessage(id, 'host.example', hosts.pinned);
}

/** `send N` asks for N octets. */
function serve(data: Buffer): Buffer {
  const octets = /^send (\d{1,8})$/.exec(data.subarray(0, maxText).toString('latin1').trim())?.[1];
  return octets === undefined ? data : Buffer.alloc(Number(octets), 'x');
}

/** On every address of the pod that matters; those of the taps are bound before they are there. */
export function plantPod(planted: Planted): DatagramSocket {
  const gateways = [guest.ipv4.gateway, sibling.ipv4.gateway, guest6.ipv6?.gateway ?? '::1'];
  const own = [...gateways, uplink.ipv4, '127.0.0.1', uplink.ipv6, '::1'];
  for (const address of own) {
    planted.tcp('api', { address, port: listenerPorts.api });
    planted.udp('api', { address, port: listenerPorts.api });
  }
  planted.tcp('control', { address: '::', port: listenerPorts.control });
  planted.udp('control', { address: '::', port: listenerPorts.control });
  for (const address of gateways) {
    planted.udp('resolver', { address, port: resolverPort }, answerOf);
    planted.tcp('resolver', { address, port: resolverPort });
  }
  return planted.client(
    'upstream',
    { address: uplink.ipv4, port: 0 },
    { address: hosts.dnsServer, port: resolverPort },
  );
}

export function plantWorld(planted: Planted): void {
  for (const port of openPorts) {
    planted.tcp('world', { address: '::', port }, serve);
    // At each address: a socket for all of them would answer from the router's.
    for (const address of [hosts.allowed, hosts.pinned, hosts.forbidden]) {
      planted.udp('world', { address, port }, (data) => data);
    }
  }
  planted.udp('world', { address: hosts.dnsServer, port: resolverPort }, answerOf);
  // The router is the node of a pod that is not the node itself.
  for (const port of Object.values(listenerPorts)) {
    planted.tcp('node', { address: router.ipv4, port });
    planted.udp('node', { address: router.ipv4, port }, (data) => data);
  }
}
