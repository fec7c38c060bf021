/** What a hostile upstream says, as octets: honest replies to a question, and every way to bend one. */
import { address } from '#kvm-lab/frames/octets.ts';
import type { UpstreamQuestion, UpstreamReply, UpstreamScript } from '#kvm-lab/providers/dns-lab.ts';
import {
  encodeMessage,
  type Labels,
  type ModelMessage,
  type ModelRecord,
  replyTo,
  types,
} from '#properties/models/dns-message.ts';

export const labelsOf = (name: string): Labels => (name === '' ? [] : name.split('.'));

/** An address record; its type follows from the address. */
export function addressOf(owner: Labels, text: string, ttl = 60): ModelRecord {
  const type = text.includes(':') ? types.aaaa : types.a;
  return { owner, type, class: 1, ttl, data: { address: [...address(text)] } };
}

export function alias(owner: Labels, target: Labels, ttl = 60): ModelRecord {
  return { owner, type: types.cname, class: 1, ttl, data: { target } };
}

/** An honest reply to the question as it was asked, case included. */
export const honest = (
  question: UpstreamQuestion,
  answers: readonly ModelRecord[] = [],
  code = 0,
): ModelMessage => replyTo(question.message.toString('hex'), answers, code);

export const octets = (message: ModelMessage) => Buffer.from(encodeMessage(message));
export const said = (message: ModelMessage, rest: Omit<UpstreamReply, 'message'> = {}): UpstreamReply => ({
  message: octets(message),
  ...rest,
});

/** The name at these addresses, those of the asked type. */
export function at(addresses: readonly string[], ttl = 60): UpstreamScript {
  return (question) => {
    const wanted = addresses.filter((text) => text.includes(':') === (question.type === types.aaaa));
    return [
      said(
        honest(
          question,
          wanted.map((text) => addressOf(nameIn(question), text, ttl)),
        ),
      ),
    ];
  };
}

/** Of the question as it came: the case that a resolver asked in. */
export const nameIn = (question: UpstreamQuestion): Labels =>
  honest(question).questions[0]?.name ?? labelsOf(question.name);

export const bent =
  (
    bend: (message: ModelMessage, question: UpstreamQuestion) => ModelMessage,
    to: readonly string[],
  ): UpstreamScript =>
  (question) => {
    const answers = to.map((text) => addressOf(nameIn(question), text));
    return [said(bend(honest(question, answers), question))];
  };
