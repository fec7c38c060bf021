/**
 * The upstream server of `pnpm bench dns`, a process of its own: `upstream-stub.ts ADDRESS PORT`. Answers every
 * question with one A record of TTL 60, out of a thousand addresses that may be pinned.
 */
import { EpollIo } from '#reference/dnsproxy/packets/epoll-io.ts';

const [, , address = '', port = ''] = process.argv;
const io = new EpollIo({ socketsPerUpstream: 0 });
io.listen({ address, port: Number(port) });

const reply = new Uint8Array(512);
/** Owner: the question; A, IN, 60 seconds, four octets. */
const record = Uint8Array.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);

/** Where the question ends; 0 when there is none. */
function questionEnd(message: Uint8Array): number {
  let at = 12;
  while (at < message.length && message[at] !== 0) at += (message[at] ?? 0) + 1;
  return at + 5 <= message.length ? at + 5 : 0;
}

/** One of a thousand, by the letters of the name: distinct names fill no set. */
function addressOf(message: Uint8Array, end: number): number {
  let sum = 0;
  for (let at = 12; at < end; at++) sum = (sum * 31 + ((message[at] ?? 0) | 0x20)) | 0;
  return (sum >>> 0) % 1_000;
}

await io.run({
  guestMessage(listener, client, message) {
    const end = questionEnd(message);
    if (end === 0 || end + 16 > reply.length) return;
    reply.set(message.subarray(0, end));
    // QR, RD as asked, RA; one question, one answer, nothing else.
    reply.set([0x80 | ((message[2] ?? 0) & 1), 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2);
    reply.set(record, end);
    const which = addressOf(message, end);
    reply.set([93, 184, which >> 8, which & 255], end + record.length);
    io.answer(listener, client, reply.subarray(0, end + 16));
  },
  upstreamMessage() {
    throw new Error('the stub asks nobody');
  },
  roundEnded() {
    io.flush();
    return Number.POSITIVE_INFINITY;
  },
});
