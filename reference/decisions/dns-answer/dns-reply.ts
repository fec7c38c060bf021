/**
 * dns-reply: is this message the reply to the query that was sent (RFC 5452 section 9)? What is not is
 * ignored and the wait goes on, so that a forger gains nothing by being first.
 */
import type { DnsPolicy, Transport } from './dns-policy.ts';
import { classIn, flag, headerOctets, type Message, opcodeOf, rcode, readMessage, u16 } from './wire.ts';

export interface Endpoint {
  /** Address text as the socket gives it. */
  readonly address: string;
  readonly port: number;
}

export interface ReplyCase {
  /** The query as it was sent. */
  readonly query: Uint8Array;
  readonly sentTo: Endpoint;
  readonly reply: Uint8Array;
  readonly from: Endpoint;
  readonly transport: Transport;
}

export type ReplyVerdict =
  | { readonly verdict: 'accept'; readonly message: Message; readonly rule: string }
  | { readonly verdict: 'ignore' | 'retry-tcp' | 'fail'; readonly rule: string };

const ignore = (rule: string): ReplyVerdict => ({ verdict: 'ignore', rule });

/** Judges one message that arrived while the query was waiting. Total. */
export function judgeReply(
  policy: DnsPolicy,
  { query, sentTo, reply, from, transport }: ReplyCase,
): ReplyVerdict {
  if (from.address !== sentTo.address || from.port !== sentTo.port)
    return ignore('not from the server that was asked');
  if (reply.length < headerOctets) return ignore('shorter than a header');
  if (reply[0] !== query[0] || reply[1] !== query[1]) return ignore('another ID');
  const flags = u16(reply, 2);
  if ((flags & flag.response) === 0) return ignore('QR=0');
  if (opcodeOf(reply) !== 0) return ignore('another opcode');
  if (u16(reply, 4) !== 1) return ignore('QDCOUNT is not 1');
  if (!sameQuestion(query, reply, policy.randomCase)) return ignore('another question');
  if ((flags & flag.truncated) !== 0) {
    return transport === 'udp'
      ? { verdict: 'retry-tcp', rule: 'TC=1' }
      : { verdict: 'fail', rule: 'TC=1 over TCP' };
  }
  const message = readMessage(reply);
  if (message === null) return ignore('malformed');
  // The version of its OPT is no fault: it says what the server could speak, not how this message is written
  // (RFC 6891 section 6.1.3).
  const code = message.rcode;
  if (code !== rcode.noError && code !== rcode.nxDomain) return { verdict: 'fail', rule: `RCODE ${code}` };
  return { verdict: 'accept', message, rule: 'the reply to the query' };
}

/** Name, type and class, octet by octet; letters match in either case only when 0x20 is off. */
function sameQuestion(query: Uint8Array, reply: Uint8Array, exactCase: boolean): boolean {
  let at = headerOctets;
  // Our own query: its question is one uncompressed name, type and class. One that is cut off matches
  // nothing.
  while (at < query.length && query[at] !== 0) {
    const length = query[at] as number;
    for (let index = at; index <= at + length; index++) {
      const [sent, got] = [query[index] as number, reply[index] as number];
      if (sent === got) continue;
      const letters = index > at && !exactCase && (sent | 0x20) === (got | 0x20);
      if (!letters || (sent | 0x20) < 0x61 || (sent | 0x20) > 0x7a) return false;
    }
    at += length + 1;
  }
  for (let index = at; index < at + 5; index++) if (query[index] !== reply[index]) return false;
  return u16(query, at + 3) === classIn;
}
