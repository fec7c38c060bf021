/**
 * The positive control: a public address is asked for, asked of the upstream, and answered. Invariant: without
 * it nothing is judged, and what stands in its way has a name.
 */
import { query, types } from '#properties/models/dns-message.ts';
import { endpointText } from './endpoint.ts';
import type { Heard } from './guest.ts';
import { answerWords, readAnswer, textOfName } from './received.ts';
import { type AddressType, honestAddress, honestPlay, type Stage } from './stage.ts';

export type ServerState =
  | 'answers'
  | 'refuses'
  | 'dead'
  | 'deaf'
  | 'slow'
  | 'garbage'
  | 'floods'
  | 'does not forward'
  | 'answers otherwise';

export interface Control {
  readonly state: ServerState;
  readonly reason: string;
  readonly ms: number;
}

/** How much longer than the time-out it may take before it is called dead instead of slow. */
const slowFactor = 3;
const slowMostMs = 10_000;

/** One question. `patient`: waits on past the time-out, so as to tell slow from dead. */
export async function control(stage: Stage, type: AddressType, patient = false): Promise<Control> {
  const name = stage.names.next('control');
  const { timeoutMs, server } = stage.settings;
  const waitMs = patient ? Math.min(timeoutMs * slowFactor, timeoutMs + slowMostMs) : timeoutMs;
  const { heard, answer } = await stage.exchange(name, query(name, type), honestPlay(name), {
    timeoutMs: waitMs,
  });
  const { ms } = heard;
  const reached = stage.upstream.seen(name[0] ?? '').length > 0;
  const typeText = type === types.a ? 'A' : 'AAAA';
  const asked = `${textOfName(name)} ${typeText}`;
  const said = (state: ServerState, reason: string): Control => ({ state, reason, ms });
  if (heard.flood) return said('floods', `more than ${heard.messages.length} messages for one question`);
  if (heard.fate === 'refused') return said('refuses', `nothing listens on ${endpointText(server)}`);
  if (heard.fate === 'silent') return silence(stage, said, asked, reached, waitMs);
  if (heard.fate === 'garbage') return said('garbage', `to ${asked}: ${garbageWords(heard)}`);
  if (answer === null) return said('garbage', `to ${asked}: octets that are no DNS message`);
  if (ms > timeoutMs) return said('slow', `answers after ${ms} ms, --timeout is ${timeoutMs} ms`);
  if (answer.addresses.some(({ address }) => address === honestAddress[type])) return said('answers', '');
  const got = answerWords(answer);
  if (!reached)
    return said('does not forward', `answers ${asked} with ${got}, and asked the upstream nothing`);
  return said('answers otherwise', `answers ${asked} with ${got}, the upstream said ${honestAddress[type]}`);
}

function silence(
  stage: Stage,
  said: (state: ServerState, reason: string) => Control,
  asked: string,
  reached: boolean,
  waitMs: number,
): Control {
  const { endpoint } = stage.upstream;
  if (reached) return said('dead', `asked the upstream for ${asked} and did not answer within ${waitMs} ms`);
  return said(
    'deaf',
    `no answer to ${asked} within ${waitMs} ms, and the upstream ${endpointText(endpoint)} was asked nothing`,
  );
}

export function garbageWords({ messages }: Heard): string {
  const [first] = messages;
  const hex = first?.subarray(0, 24).toString('hex') ?? '';
  const read = first === undefined ? null : readAnswer(first);
  return read === null ? `what came is no DNS message: ${hex}…` : `what came answers another ID: ${hex}…`;
}

/** A server that waits for its own upstream is full for as long as it waits: 10 s where it is usual. */
const calmMs = 15_000;
/** Where nothing listens nothing recovers, unless somebody starts it again. */
const goneMs = 1_500;
const calmGapMs = 500;

/** After attacks: whether it answers still, given the time to recover. */
export async function recovered(stage: Stage, type: AddressType): Promise<Control> {
  const begin = performance.now();
  let last = await control(stage, type);
  while (
    last.state !== 'answers' &&
    performance.now() - begin < (last.state === 'refuses' ? goneMs : calmMs)
  ) {
    await new Promise((resolve) => setTimeout(resolve, calmGapMs));
    last = await control(stage, type);
  }
  return last;
}

export const remedyOf: Readonly<Record<Exclude<ServerState, 'answers'>, string>> = {
  refuses: 'start the server, or name its port with --server',
  dead: 'see the server’s log; --timeout gives it longer',
  deaf: 'tell the server its upstream (--upstream-listen) and to forward --domain there',
  slow: 'give it longer with --timeout',
  garbage: 'is this a DNS server? --tcp asks over TCP',
  floods: 'is this a DNS server?',
  'does not forward':
    'tell the server to forward --domain to the upstream, with DNSSEC validation off, and --allow what it allows',
  'answers otherwise': 'does it validate DNSSEC, or filter public addresses? Then nothing can be judged',
};
