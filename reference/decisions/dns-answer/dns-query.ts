/**
 * dns-query: what happens to the guest's message. Nothing of it goes upstream but the canonical name and
 * the type, in a query that is built afresh.
 */
import { type DnsPolicy, type Transport, udpPayloadOctets } from './dns-policy.ts';
import { isHostName, type WireName } from './name.ts';
import {
  classIn,
  flag,
  headerOctets,
  type Message,
  MessageWriter,
  opcodeOf,
  rcode,
  readMessage,
  type,
  u16,
} from './wire.ts';

export interface QueryRandomness {
  /** Upstream ID. */
  readonly id: number;
  /** 256 coin flips for 0x20, one a letter; 32 octets. */
  readonly caseBits: Uint8Array;
}

export type QueryVerdict =
  | {
      readonly verdict: 'forward';
      readonly message: Uint8Array;
      /** The guest's, as it was read. */
      readonly guest: Message;
      readonly rule: string;
    }
  | {
      readonly verdict: 'answer';
      readonly message: Uint8Array;
      /** Of the message, whole: its header alone may not say it. */
      readonly rcode: number;
      readonly rule: string;
    }
  | { readonly verdict: 'drop'; readonly rule: string };

/** Decides a message of the guest. Total. */
export function decideQuery(
  policy: DnsPolicy,
  bytes: Uint8Array,
  _transport: Transport,
  random: QueryRandomness,
): QueryVerdict {
  if (bytes.length < headerOctets) return { verdict: 'drop', rule: 'shorter than a header' };
  if ((u16(bytes, 2) & flag.response) !== 0) return { verdict: 'drop', rule: 'QR=1: not a query' };
  if (opcodeOf(bytes) !== 0) return refuse(bytes, null, rcode.notImp, 'opcode is not QUERY');
  if (u16(bytes, 4) !== 1) return refuse(bytes, null, rcode.formErr, 'QDCOUNT is not 1');
  const message = readMessage(bytes);
  if (message === null) return refuse(bytes, null, rcode.formErr, 'malformed');
  if (message.ednsVersion !== 0) return refuse(bytes, message, rcode.badVers, 'EDNS version is not 0');
  const { question } = message;
  if (question.class !== classIn) return refuse(bytes, message, rcode.refused, 'class is not IN');
  if (!isHostName(question.name)) return refuse(bytes, message, rcode.refused, 'a label is not LDH');
  if (policy.allowlist.portsOf(question.name).length === 0) {
    return refuse(bytes, message, rcode.refused, 'name is not allowlisted');
  }
  if (question.type !== type.a && question.type !== type.aaaa) {
    return refuse(bytes, message, rcode.noError, 'NODATA: only A and AAAA go upstream');
  }
  if (question.type === type.aaaa && !policy.ipv6) {
    return refuse(bytes, message, rcode.noError, 'NODATA: the IPv6 option is off');
  }
  const upstream = freshQuery(question.name, question.type, random, policy.randomCase);
  return { verdict: 'forward', message: upstream, guest: message, rule: 'allowlisted' };
}

/** An answer without records: the guest's ID and question, RD as asked. */
function refuse(bytes: Uint8Array, message: Message | null, code: number, rule: string): QueryVerdict {
  return { verdict: 'answer', message: emptyAnswer(bytes, message, code), rcode: code, rule };
}

/**
 * Header, question when it could be read, and an OPT when the guest sent one; no records.
 * @param code over 15 only for a guest that sent one
 */
export function emptyAnswer(
  bytes: Uint8Array,
  message: Message | null,
  code: number,
  truncated = false,
): Uint8Array {
  const questionEnd = message === null ? headerOctets : message.question.end;
  const edns = message !== null && message.ednsPayloadOctets !== null;
  const writer = new MessageWriter(questionEnd + (edns ? 11 : 0));
  const asked = u16(bytes, 2);
  const opcode = asked & 0x7800;
  const flags =
    flag.response |
    opcode |
    (asked & flag.recursionDesired) |
    flag.recursionAvailable |
    (truncated ? flag.truncated : 0);
  writer.header(u16(bytes, 0), flags | (code & 15), message === null ? 0 : 1, 0, edns ? 1 : 0);
  writer.copy(bytes, headerOctets, questionEnd);
  if (edns) writer.opt(udpPayloadOctets, code);
  return writer.finish();
}

/** RD=1, one question, an OPT without options; the same bytes for the same name, type and randomness. */
export function freshQuery(
  name: WireName,
  queryType: number,
  random: QueryRandomness,
  randomCase: boolean,
): Uint8Array {
  const writer = new MessageWriter(headerOctets + name.length + 4 + 11);
  writer.header(random.id, flag.recursionDesired, 1, 0, 1);
  for (let at = 0; at < name.length; at++) {
    const octet = name[at] as number;
    // In a host name nothing but letters lies so high, the lengths of its labels least of all.
    const isLetter = octet >= 0x61;
    const flip = randomCase && isLetter && (((random.caseBits[at >> 3] ?? 0) >> (at & 7)) & 1) === 1;
    writer.u8(flip ? octet & 0xdf : octet);
  }
  writer.u16(queryType);
  writer.u16(classIn);
  writer.opt(udpPayloadOctets, rcode.noError);
  return writer.finish();
}
