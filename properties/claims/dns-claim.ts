/** What the F1 claims on messages have in common: an honest exchange that every subject lets through. */
import { addressRecord, dnsConfig } from '../arbitraries/dns.ts';
import { encodeMessage, hexOf, query, replyTo, types } from '../models/dns-message.ts';
import { pinEverything, runSession, type Session, type SessionScript } from '../models/dns-session.ts';
import { decodeAnswer } from '../oracles/dns/answer-oracle.ts';
import type { Subject } from '../subjects/subject.ts';
import type { DnsVector } from '../vectors/generate/dns-messages/dns-vector.ts';
import { loadCorpus } from '../vectors/load-corpus.ts';

export const fixedRandomness = { id: 4242, caseBits: '5a'.repeat(32) };
const honestAddress = [93, 184, 216, 34];

/** A plain question for example.com A, a plain reply, every pin made. */
export const honestScript: SessionScript = {
  config: dnsConfig,
  message: hexOf(encodeMessage(query(['example', 'com'], types.a))),
  transport: 'udp',
  random: fixedRandomness,
  upstream: (sent) => [
    { hex: hexOf(encodeMessage(replyTo(sent, [addressRecord(['example', 'com'], types.a, honestAddress)]))) },
  ],
  pin: pinEverything,
};

/** The positive control of every message claim: the honest address is pinned and answered. */
export function honestExchangeWorks(subject: Subject): string | null {
  const { pins, answer } = runSession(subject, honestScript);
  const decoded = answer === null ? null : decodeAnswer(answer);
  const wanted = honestAddress.join('.');
  if (!pins.some(({ address, port }) => address === wanted && port === 443)) return `${wanted} is not pinned`;
  return decoded?.addresses.some(({ address }) => address === wanted) ? null : `${wanted} is not answered`;
}

export function describeSession({ upstreamQuery, replies, pins, answer, rule }: Session): string {
  const verdicts = replies.map((reply) => `${reply.verdict} (${reply.rule})`).join(', ');
  const decoded = answer === null ? null : decodeAnswer(answer);
  const got = decoded?.addresses.map(({ address, ttl }) => `${address} ttl ${ttl}`).join(' ') ?? '';
  const said =
    answer === null ? 'nothing' : decoded === null ? 'unreadable octets' : `${decoded.rcode} ${got}`.trim();
  const pinned = [...new Set(pins.map(({ address }) => address))].join(' ');
  return [
    upstreamQuery === null ? 'not forwarded' : 'forwarded',
    ...(verdicts === '' ? [] : [`reply: ${verdicts}`]),
    `pins: ${pinned === '' ? 'none' : pinned}`,
    `guest gets ${said}`,
    `[${rule}]`,
  ].join('; ');
}

/** The published vectors of one decision whose id begins so. */
export function dnsVectors(decision: DnsVector['decision'], start: string): readonly DnsVector[] {
  const { vectors } = loadCorpus<DnsVector>('dns-messages');
  return vectors.filter((vector) => vector.decision === decision && vector.id.startsWith(start));
}
