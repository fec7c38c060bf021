/** `node:dgram` keeps the contract of every `PacketIo`, and renews its sockets. */
import { describe, expect, test } from 'vitest';
import { DgramIo } from './dgram-io.ts';
import { freeLoopbackEndpoint, loopbackPeer } from './loopback-peer.ts';
import { type PacketGround, type PacketPeer, packetIoContract } from './packet-io-contract.ts';

async function ground(): Promise<PacketGround> {
  const io = new DgramIo({ socketsPerUpstream: 16 });
  const peers: PacketPeer[] = [];
  return {
    io,
    freeEndpoint: () => freeLoopbackEndpoint(),
    async peer() {
      const peer = await loopbackPeer();
      peers.push(peer);
      return peer;
    },
    async close() {
      io.close();
      for (const peer of peers) peer.close();
    },
  };
}

describe('dgram-io', () => {
  packetIoContract(ground);

  test('renews sockets while it asks, and hears on one that was replaced until its time is over', async () => {
    const io = new DgramIo({ socketsPerUpstream: 2, renewEveryMs: 1, lingerMs: 60_000 });
    const server = await loopbackPeer();
    try {
      io.setUpstreams([server.endpoint]);
      const first = io.pickSocket(0) as number;
      io.ask(first, Uint8Array.of(1));
      const { from } = await server.next();
      const replied = new Promise<number>((resolve) => {
        void io.run({
          guestMessage: () => undefined,
          upstreamMessage: (socket) => resolve(socket),
          roundEnded: () => Number.POSITIVE_INFINITY,
        });
      });
      // Three are opened after the first: of two places it has none any more.
      const later = new Set<number>();
      while (later.size < 3) {
        const picked = io.pickSocket(0) as number;
        if (picked > first + 1) later.add(picked);
        io.ask(picked, Uint8Array.of(2));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      server.send(from, Uint8Array.of(4));
      expect(await replied).toBe(first);
    } finally {
      io.close();
      server.close();
    }
  });
});
