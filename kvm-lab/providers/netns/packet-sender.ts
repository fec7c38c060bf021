/** Puts frames on a link by a packet socket, and datagrams of this host by a raw one. */
import { checked, libc } from '#properties/oracles/netlink/libc.ts';

const afPacket = 17;
const afInet = 2;
const sockRawCloexec = 3 | 0o2000000;
const protocolRaw = 255;
const solSocket = 1;
const soMark = 36;
const packetAddressBytes = 20;

export interface Sender {
  send(data: Buffer): void;
  close(): void;
}

/** What is sent here comes out at the other end of the link. */
export function linkSender(device: string): Sender {
  const descriptor = checked('socket', libc().socket(afPacket, sockRawCloexec, 0));
  const address = Buffer.alloc(packetAddressBytes);
  address.writeUInt16LE(afPacket, 0);
  address.writeInt32LE(libc().if_nametoindex(device), 4);
  return {
    send: (data) => {
      checked('sendto', libc().sendto(descriptor, data, data.length, 0, address, packetAddressBytes));
    },
    close: () => {
      libc().close(descriptor);
    },
  };
}

/** IPv4 datagrams with their header, which carry `mark`; what a rule drops at output is not an error. */
export function datagramSender(mark: number): Sender {
  const descriptor = checked('socket', libc().socket(afInet, sockRawCloexec, protocolRaw));
  const value = Buffer.alloc(4);
  value.writeUInt32LE(mark);
  checked('setsockopt', libc().setsockopt(descriptor, solSocket, soMark, value, 4));
  return {
    send: (data) => {
      const address = Buffer.alloc(16);
      address.writeUInt16LE(afInet, 0);
      data.copy(address, 4, 16, 20);
      libc().sendto(descriptor, data, data.length, 0, address, address.length);
    },
    close: () => {
      libc().close(descriptor);
    },
  };
}
