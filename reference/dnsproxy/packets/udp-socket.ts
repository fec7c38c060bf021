/**
 * UDP sockets, bound or connected, that never wait and that no child inherits.
 * Invariant: one that cannot be made whole is closed again.
 */
import { bind, close, connect, getsockname, SyscallError, setsockopt, socket } from '../../base/syscalls.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { bindRefusal } from '../bind-refusal.ts';
import {
  AF_INET6,
  readSocketAddress,
  type SocketEndpoint,
  socketAddressOctets,
  toSocketEndpoint,
} from './socket-address.ts';

const SOCK_DGRAM_NONBLOCK_CLOEXEC = 0x80802;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** What a guest may have waiting while a round lasts; the kernel gives what it allows. */
const listenerBufferOctets = 1 << 20;
const on = new Uint8Array(Uint32Array.of(1).buffer);

function openSocket({ family }: SocketEndpoint, then: (fd: number) => void): number {
  const fd = socket(family, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  try {
    // Else the address of the other family would be taken as well.
    if (family === AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, on);
    then(fd);
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

/** @throws CodedError `address-taken`, `no-such-address`, `address-refused`, `bad-address` */
export function openListener(endpoint: DnsEndpoint): number {
  const own = toSocketEndpoint(endpoint);
  try {
    return openSocket(own, (fd) => {
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, new Uint8Array(Uint32Array.of(listenerBufferOctets).buffer));
      bind(fd, own.raw);
    });
  } catch (cause) {
    if (!(cause instanceof SyscallError) || cause.call !== 'bind') throw cause;
    throw bindRefusal('udp', endpoint, cause.code, cause);
  }
}

/** On a port that the kernel chose at random, of net.ipv4.ip_local_port_range. @throws SyscallError */
export function openConnected(server: SocketEndpoint): number {
  return openSocket(server, (fd) => connect(fd, server.raw));
}

/** What a socket is bound to. */
export function boundTo(fd: number): SocketEndpoint {
  const raw = new Uint8Array(socketAddressOctets);
  getsockname(fd, raw);
  const endpoint = readSocketAddress(raw, 0);
  if (endpoint === null) throw new SyscallError('getsockname', 97);
  return endpoint;
}
