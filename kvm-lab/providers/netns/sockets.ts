/** TCP and UDP of the lab's own hosts: each socket belongs to the namespace that it was made in. */
import { isIPv4 } from 'node:net';
import { address, addressText } from '#kvm-lab/frames/octets.ts';
import type { Place } from '../network-lab.ts';
import {
  acceptFrom,
  bindSocket,
  CallError,
  closeFd,
  listenOn,
  localAddress,
  newSocket,
  pendingError,
  readFd,
  receive,
  sendTo,
  setOption,
  startConnect,
} from './kernel-calls.ts';
import type { Namespace } from './namespace.ts';
import type { Reactor } from './reactor.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IP = 0;
const IP_FREEBIND = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_FREEBIND = 78;
const backlog = 512;

/** struct sockaddr_in or sockaddr_in6; `scope` is the interface of a link-local address. */
export function socketAddress({ address: text, port }: Place, scope = 0): Buffer {
  const bytes = Buffer.alloc(isIPv4(text) ? 16 : 28);
  bytes.writeUInt16LE(isIPv4(text) ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  address(text).copy(bytes, isIPv4(text) ? 4 : 8);
  if (!isIPv4(text)) bytes.writeUInt32LE(scope, 24);
  return bytes;
}

export function placeOf(bytes: Buffer): Place {
  const port = bytes.readUInt16BE(2);
  if (bytes.readUInt16LE(0) === AF_INET) return { address: addressText(bytes.subarray(4, 8)), port };
  const mapped = bytes.subarray(8, 20).equals(Buffer.from('00000000000000000000ffff', 'hex'));
  return { address: addressText(bytes.subarray(mapped ? 20 : 8, 24)), port };
}

/** Of either family, at an address that may not be there yet; `::` takes IPv4 too. */
function make(type: number, { address: text, port }: Place): number {
  const fd = newSocket(isIPv4(text) ? AF_INET : AF_INET6, type, 0);
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (isIPv4(text)) setOption(fd, IPPROTO_IP, IP_FREEBIND, 1);
  else {
    setOption(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
    setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, text === '::' ? 0 : 1);
  }
  bindSocket(fd, socketAddress({ address: text, port }));
  return fd;
}

const chunk = Buffer.alloc(1 << 18);

/** One TCP connection: what comes is handed to `onData`, null at the end. */
export class Connection {
  readonly local: Place;
  readonly peer: Place;
  readonly #reactor: Reactor;
  readonly #fd: number;
  #waiting: Buffer[] = [];
  #closed = false;

  constructor(
    reactor: Reactor,
    fd: number,
    peer: Place,
    onData: (data: Buffer | null, of: Connection) => void,
  ) {
    this.#reactor = reactor;
    this.#fd = fd;
    this.peer = peer;
    this.local = placeOf(localAddress(fd));
    reactor.read(fd, () => {
      const data = this.#receive();
      if (data === undefined) return;
      onData(data, this);
      if (data === null) this.close();
    });
  }

  /** undefined: nothing yet; null: at its end, or broken. */
  #receive(): Buffer | null | undefined {
    try {
      const octets = readFd(this.#fd, chunk);
      if (octets === null) return undefined;
      return octets === 0 ? null : Buffer.from(chunk.subarray(0, octets));
    } catch (error) {
      if (error instanceof CallError) return null;
      throw error;
    }
  }

  send(data: Buffer): void {
    if (this.#closed) return;
    this.#waiting.push(data);
    this.#flush();
  }

  #flush(): void {
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      const taken = this.#take(head);
      if (taken === head.length) this.#waiting.shift();
      else {
        this.#waiting[0] = head.subarray(taken);
        this.#reactor.write(this.#fd, () => this.#flush());
        return;
      }
    }
    this.#reactor.write(this.#fd, null);
  }

  #take(data: Buffer): number {
    try {
      return sendTo(this.#fd, data) ?? 0;
    } catch (error) {
      // The peer is gone: the reader sees the end and closes.
      if (error instanceof CallError) return data.length;
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reactor.forget(this.#fd);
    closeFd(this.#fd);
  }
}

export interface Listener {
  close(): void;
}

export function listenTcp(
  reactor: Reactor,
  namespace: Namespace,
  place: Place,
  onConnection: (peer: Place, local: Place) => void,
  onData: (data: Buffer | null, of: Connection) => void,
): Listener {
  const fd = namespace.within(() => make(SOCK_STREAM, place));
  listenOn(fd, backlog);
  const open = new Set<Connection>();
  reactor.read(fd, () => {
    for (let next = acceptFrom(fd); next !== null; next = acceptFrom(fd)) {
      const connection = new Connection(reactor, next.fd, placeOf(next.peer), (data, of) => {
        if (data === null) open.delete(of);
        onData(data, of);
      });
      open.add(connection);
      onConnection(connection.peer, connection.local);
    }
  });
  const close = () => {
    for (const connection of open) connection.close();
    reactor.forget(fd);
    closeFd(fd);
  };
  return { close };
}

/** A datagram socket; `reply` answers the sender from where it listens. */
export class DatagramSocket implements Listener {
  readonly local: Place;
  readonly #reactor: Reactor;
  readonly #fd: number;

  constructor(
    reactor: Reactor,
    namespace: Namespace,
    place: Place,
    onDatagram: (data: Buffer, from: Place, socket: DatagramSocket) => void,
    connectedTo?: Place,
  ) {
    this.#reactor = reactor;
    this.#fd = namespace.within(() => make(SOCK_DGRAM, place));
    if (connectedTo !== undefined) startConnect(this.#fd, socketAddress(connectedTo));
    this.local = placeOf(localAddress(this.#fd));
    reactor.read(this.#fd, () => {
      const got = this.#receive();
      if (got !== null) onDatagram(Buffer.from(chunk.subarray(0, got.octets)), placeOf(got.from), this);
    });
  }

  /** An ICMP error that was queued for the socket reads as nothing. */
  #receive(): { octets: number; from: Buffer } | null {
    try {
      return receive(this.#fd, chunk);
    } catch (error) {
      if (error instanceof CallError) return null;
      throw error;
    }
  }

  /** Whether the kernel took it. */
  send(data: Uint8Array, to: Place): boolean {
    try {
      return sendTo(this.#fd, data, socketAddress(to)) === data.length;
    } catch (error) {
      if (error instanceof CallError) return false;
      throw error;
    }
  }

  close(): void {
    this.#reactor.forget(this.#fd);
    closeFd(this.#fd);
  }
}

export interface Dialled {
  readonly connection: Connection;
  readonly latencyMs: number;
}

/** A connection from inside the namespace, or why there is none within the deadline. */
export function dialTcp(
  reactor: Reactor,
  namespace: Namespace,
  { from, to, deadlineMs }: { readonly from?: Place; readonly to: Place; readonly deadlineMs: number },
  onData: (data: Buffer | null, of: Connection) => void,
): Promise<Dialled | { readonly refused: string }> {
  const begun = performance.now();
  const fd = namespace.within(() => {
    if (from !== undefined) return make(SOCK_STREAM, from);
    return newSocket(isIPv4(to.address) ? AF_INET : AF_INET6, SOCK_STREAM, 0);
  });
  return new Promise((resolve) => {
    const give = (refused: string) => {
      clearTimeout(timer);
      reactor.forget(fd);
      closeFd(fd);
      resolve({ refused });
    };
    const timer = setTimeout(() => give(`no connection within ${deadlineMs} ms`), deadlineMs);
    try {
      startConnect(fd, socketAddress(to));
    } catch (error) {
      give(error instanceof Error ? error.message : String(error));
      return;
    }
    reactor.write(fd, () => {
      const errno = pendingError(fd);
      if (errno !== 0) {
        give(new CallError('connect', errno).message);
        return;
      }
      clearTimeout(timer);
      reactor.forget(fd);
      const connection = new Connection(reactor, fd, to, onData);
      resolve({ connection, latencyMs: performance.now() - begun });
    });
  });
}
