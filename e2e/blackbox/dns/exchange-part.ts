/** A part that is one question and one script of the upstream: most of them. */
import { encodeMessage, hexOf, type Labels, type ModelMessage } from '#properties/models/dns-message.ts';
import { type Finding, holds } from '../finding.ts';
import { garbageWords } from './controls.ts';
import { type Messages, type Part, silent } from './part.ts';
import { answerWords, carries } from './received.ts';
import type { Exchange, Play, Stage } from './stage.ts';
import { scripted } from './upstream.ts';

export interface ExchangePart extends Omit<Part, 'messages' | 'run'> {
  /** The name that is asked, made from the part's own; default: that one. */
  readonly asks?: (own: Labels) => Labels;
  readonly guest: (name: Labels) => ModelMessage;
  readonly play: (name: Labels) => Play;
  readonly judge: (exchange: Exchange, stage: Stage, own: Labels) => Finding;
  /** Not where this server or machine cannot be asked so. */
  readonly unless?: (stage: Stage) => Finding | null;
}

export function exchangePart({ asks, guest, play, judge, unless, ...part }: ExchangePart): Part {
  const placed = asks ?? ((own: Labels) => own);
  return {
    ...part,
    messages(names): Messages {
      const name = placed(names.of(part.id));
      const asked = hexOf(encodeMessage(guest(name)));
      return { guest: [asked], upstream: scripted(play(name), asked) };
    },
    async run(stage) {
      const unable = unless?.(stage) ?? null;
      if (unable !== null) return unable;
      const own = stage.names.next(part.id);
      const name = placed(own);
      const exchange = await stage.exchange(name, guest(name), play(name));
      return brokenBy(exchange) ?? judge(exchange, stage, own);
    },
  };
}

/** How a server breaks, whatever it was asked; null: it did not. Silence is the part's own to judge. */
export function brokenBy({ heard }: Exchange): Finding | null {
  if (heard.flood)
    return { outcome: 'flood', observed: `over ${heard.messages.length} messages to one question` };
  if (heard.fate === 'refused')
    return { outcome: 'crashed', observed: 'nothing listens there any more', absent: true };
  if (heard.fate === 'garbage') return { outcome: 'garbage', observed: garbageWords(heard), absent: true };
  return null;
}

/** Falsified when one of these reaches the guest's answer; silence and refusals deny it as well. */
export function neverAnswers(forbidden: readonly string[]): ExchangePart['judge'] {
  return ({ heard, answer }) => {
    if (heard.answer === null) return silent;
    const hex = heard.answer.toString('hex');
    if (answer === null) {
      const found = forbidden.find((address) => heard.answer !== null && carries(heard.answer, address));
      if (found === undefined) return { outcome: 'garbage', observed: 'octets that are no DNS message', hex };
      return { outcome: 'falsified', observed: `an unreadable message that carries ${found}`, hex };
    }
    const reached = answer.addresses.find(({ address }) => forbidden.includes(address));
    if (reached === undefined || answer.truncated) return holds(answerWords(answer));
    return { outcome: 'falsified', observed: answerWords(answer), hex };
  };
}

/** Falsified when it does not reach the guest's answer; silence is `hung`. */
export function alwaysAnswers(wanted: string): ExchangePart['judge'] {
  return ({ heard, answer }) => {
    if (heard.answer === null)
      return { outcome: 'hung', observed: `no answer in ${heard.ms} ms`, absent: true };
    if (answer?.addresses.some(({ address }) => address === wanted)) return holds(answerWords(answer));
    const hex = heard.answer.toString('hex');
    return { outcome: 'falsified', observed: answerWords(answer), absent: true, hex };
  };
}
