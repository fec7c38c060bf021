/**
 * One question of a guest, from its message to its answer: drives a subject's dns-query, dns-reply and
 * dns-build as the proxy does, against upstream messages that the case scripts and a pin set that the case
 * owns.
 */
import type { ConfigOf, InputOf, OutputOf } from '../protocol/decision.ts';
import type { dnsBuild } from '../protocol/dns-build.ts';
import type { dnsQuery } from '../protocol/dns-query.ts';
import type { dnsReply } from '../protocol/dns-reply.ts';
import type { Subject } from '../subjects/subject.ts';

export type DnsConfig = ConfigOf<typeof dnsQuery>;
export type Pin = OutputOf<typeof dnsBuild>['pins'][number];
export type PinOutcome = NonNullable<InputOf<typeof dnsBuild>['outcomes']>[number];
type Transport = 'udp' | 'tcp';

export const upstreamServer = { address: '192.0.2.53', port: 53 };

export interface UpstreamMessage {
  readonly hex: string;
  readonly from?: { readonly address: string; readonly port: number };
}

export interface SessionScript {
  readonly config: DnsConfig;
  /** The guest's message in hex. */
  readonly message: string;
  readonly transport: Transport;
  readonly random: { readonly id: number; readonly caseBits: string };
  /** Messages that arrive after the query went out, in order; made from the query as it was sent. */
  upstream(query: string, transport: Transport): readonly UpstreamMessage[];
  /** Makes the pins and says what became of them. */
  pin(pins: readonly Pin[]): readonly PinOutcome[];
}

export interface Session {
  /** The query as it went upstream, or null. */
  readonly upstreamQuery: string | null;
  /** One verdict of dns-reply for each message that was looked at. */
  readonly replies: readonly OutputOf<typeof dnsReply>[];
  readonly pins: readonly Pin[];
  /** What the guest gets in hex; null: silence. */
  readonly answer: string | null;
  readonly rule: string;
}

/** All pins are made, for as long as was asked. */
export function pinEverything(pins: readonly Pin[]): PinOutcome[] {
  const least = new Map<string, number>();
  for (const { address, ttlSeconds } of pins) {
    least.set(address, Math.min(least.get(address) ?? ttlSeconds, ttlSeconds));
  }
  return [...least].map(([address, remainingSeconds]) => ({ address, pinned: true, remainingSeconds }));
}

export const silence = { upstreamQuery: null, replies: [], pins: [], answer: null } as const;

export function runSession(subject: Subject, script: SessionScript): Session {
  const { config, message, transport, random } = script;
  const asked = subject.decide('dns-query', config)({ message, transport, random });
  if (asked.verdict !== 'forward' || asked.message === undefined) {
    return { ...silence, answer: asked.message ?? null, rule: asked.rule };
  }
  const upstreamQuery = asked.message;
  const replies: Session['replies'][number][] = [];
  let over: Transport = 'udp';
  let arriving = [...script.upstream(upstreamQuery, over)];
  for (let next = arriving.shift(); next !== undefined; next = arriving.shift()) {
    const from = next.from ?? upstreamServer;
    const input = { query: upstreamQuery, sentTo: upstreamServer, reply: next.hex, from, transport: over };
    const judged = subject.decide('dns-reply', config)(input);
    replies.push(judged);
    if (judged.verdict === 'ignore') continue;
    if (judged.verdict === 'fail') return { ...silence, upstreamQuery, replies, rule: judged.rule };
    if (judged.verdict === 'retry-tcp') {
      if (over === 'tcp') break;
      over = 'tcp';
      arriving = [...script.upstream(upstreamQuery, over)];
      continue;
    }
    return { upstreamQuery, replies, ...answerFrom(subject, script, next.hex) };
  }
  return { ...silence, upstreamQuery, replies, rule: 'no reply: SERVFAIL when the time is up' };
}

function answerFrom(
  subject: Subject,
  script: SessionScript,
  reply: string,
): Pick<Session, 'pins' | 'answer' | 'rule'> {
  const build = subject.decide('dns-build', script.config);
  const common = { query: script.message, reply, transport: script.transport };
  const planned = build({ ...common, outcomes: null });
  if (planned.answer !== null || planned.pins.length === 0) return planned;
  const final = build({ ...common, outcomes: [...script.pin(planned.pins)] });
  return { pins: planned.pins, answer: final.answer, rule: final.rule };
}
