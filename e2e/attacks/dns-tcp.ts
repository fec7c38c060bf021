/**
 * DNS over TCP as a guest may speak it: by an honest kernel, and segment by segment, so that a message can be cut
 * anywhere, sent at any pace, and counted wrongly.
 */
import { ipv4, protocols } from '#kvm-lab/frames/internet.ts';
import { ethernet, etherTypes } from '#kvm-lab/frames/link.ts';
import { readFrame } from '#kvm-lab/frames/read-frame.ts';
import { flags, tcp } from '#kvm-lab/frames/transport.ts';
import type { GuestEnd } from '#kvm-lab/providers/network-lab.ts';
import { resolverPort } from '#kvm-lab/providers/topology.ts';
import { encodeMessage, query } from '#properties/models/dns-message.ts';
import type { DnsStage, Got } from './dns-attack.ts';
import { labelsOf } from './dns-messages.ts';

const deadlineMs = 3_000;
const pollMs = 1;

/** With its length before it (RFC 1035 section 4.2.2), which may lie. */
export function framed(message: Uint8Array, length = message.length): Buffer {
  return Buffer.concat([Buffer.from([length >> 8, length & 0xff]), message]);
}

/** Whole messages of a stream, and what is left over. */
export function unframed(stream: Buffer): { messages: Buffer[]; rest: Buffer } {
  const messages: Buffer[] = [];
  let rest = stream;
  while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
    const end = 2 + rest.readUInt16BE(0);
    messages.push(rest.subarray(2, end));
    rest = rest.subarray(end);
  }
  return { messages, rest };
}

export const questionFor = (name: string, id = 7) => Buffer.from(encodeMessage(query(labelsOf(name), 1, id)));

export async function askByHonestTcp(stage: DnsStage, name: string): Promise<Got> {
  const { guest } = stage;
  stage.say(`${guest.place.tap} asks ${name} A by TCP, with a kernel of its own`);
  const to = { address: guest.place.ipv4.resolver, port: resolverPort };
  const isWhole = (answer: Buffer) => unframed(answer).messages.length > 0;
  const got = await stage.honest().exchange('tcp', to, framed(questionFor(name)), isWhole, deadlineMs);
  if ('refused' in got) {
    stage.say(`nothing: ${got.refused}`);
    return { atMs: performance.now(), message: null, decoded: null, rcode: got.refused, addresses: [] };
  }
  return stage.heard(guest, unframed(got.answer).messages[0] ?? Buffer.alloc(0));
}

/** A connection to the resolver, one segment at a time. */
export class SegmentedTcp {
  readonly #stage: DnsStage;
  readonly #end: GuestEnd;
  readonly #port: number;
  #sequence: number;
  #expected = 0;
  #read: number;
  #stream: Buffer = Buffer.alloc(0);
  /** The resolver ended it, by FIN or RST. */
  ended = false;

  private constructor(stage: DnsStage, end: GuestEnd, port: number) {
    this.#stage = stage;
    this.#end = end;
    this.#port = port;
    this.#sequence = port * 1_000;
    this.#read = end.frames.length;
  }

  /** null: nobody accepted within the deadline. */
  static async open(stage: DnsStage, end: GuestEnd = stage.guest): Promise<SegmentedTcp | null> {
    const made = new SegmentedTcp(stage, end, stage.port());
    made.#segment(flags.syn);
    made.#sequence += 1;
    const untilMs = performance.now() + deadlineMs;
    while (made.#expected === 0 && !made.ended && performance.now() < untilMs) {
      await stage.pause(pollMs);
      made.#take();
    }
    return made.#expected === 0 ? null : made;
  }

  send(data: Uint8Array): void {
    this.#segment(flags.ack | flags.psh, data);
    this.#sequence += data.length;
  }

  /** Messages that came, until there are so many or the time is over. */
  async messages(count: number, withinMs = deadlineMs): Promise<Buffer[]> {
    const untilMs = performance.now() + withinMs;
    for (;;) {
      this.#take();
      const { messages } = unframed(this.#stream);
      if (messages.length >= count || this.ended || performance.now() >= untilMs) return messages;
      await this.#stage.pause(pollMs);
    }
  }

  reset(): void {
    this.#segment(flags.rst | flags.ack);
  }

  #segment(bits: number, data: Uint8Array = Buffer.alloc(0)): void {
    const { guestMac, tapMac, ipv4: own } = this.#end.place;
    const ends = { from: own.guest, to: own.resolver, fromPort: this.#port, toPort: resolverPort };
    const segment = { ...ends, sequence: this.#sequence, acknowledgement: this.#expected, flags: bits, data };
    const packet = ipv4(ends, protocols.tcp, tcp(ends, segment));
    this.#end.send(ethernet({ from: guestMac, to: tapMac }, etherTypes.ipv4, packet));
  }

  /** In order alone: what was lost is sent again by the resolver's kernel. */
  #take(): void {
    const { frames } = this.#end;
    for (; this.#read < frames.length; this.#read++) {
      const seen = frames[this.#read];
      if (seen === undefined || seen.outgoing) continue;
      const { fromPort, toPort, tcpFlags = 0, sequence = 0, data } = readFrame(seen.frame);
      if (fromPort !== resolverPort || toPort !== this.#port) continue;
      if ((tcpFlags & flags.rst) !== 0) this.ended = true;
      if ((tcpFlags & flags.syn) !== 0) {
        this.#expected = (sequence + 1) >>> 0;
        this.#segment(flags.ack);
      }
      if (sequence !== this.#expected) continue;
      this.#stream = Buffer.concat([this.#stream, data]);
      const isEnd = (tcpFlags & flags.fin) !== 0;
      this.ended ||= isEnd;
      this.#expected = (this.#expected + data.length + (isEnd ? 1 : 0)) >>> 0;
      if (data.length > 0 || isEnd) this.#segment(flags.ack);
    }
  }
}
