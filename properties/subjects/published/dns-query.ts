/**
 * findings.md F1, "Messages, the same in vulnerable and published": "types other than A/AAAA are REFUSED; a
 * name that is not allowlisted is REFUSED; the guest's message is forwarded to the first upstream that
 * answers, as it came".
 */
import type { Bind } from '../../protocol/decision.ts';
import type { dnsQuery } from '../../protocol/dns-query.ts';
import { portsOf } from './dns-allowlist.ts';
import { readLeniently, writeMessage } from './dns-message.ts';

const response = 0x8000;
const refused = 5;
const notImplemented = 4;

export const bind: Bind<typeof dnsQuery> = ({ allow }) => {
  return ({ message }) => {
    const parsed = readLeniently(Buffer.from(message, 'hex'));
    const [question] = parsed?.questions ?? [];
    if (parsed === null || question === undefined) return { verdict: 'drop', rule: 'unreadable' };
    // findings.md is silent on responses and other opcodes from a guest: nothing is held against the proxy
    // there.
    if ((parsed.flags & response) !== 0) return { verdict: 'drop', rule: 'not a query' };
    const refuse = (rule: string, code = refused) => {
      const flags = (parsed.flags & 0x7910) | response | code;
      const answer = writeMessage({ ...parsed, flags, answers: [], authority: [], additional: [] });
      return { verdict: 'answer' as const, message: Buffer.from(answer).toString('hex'), rule };
    };
    if ((parsed.flags & 0x7800) !== 0) return refuse('opcode is not QUERY', notImplemented);
    if (question.type !== 1 && question.type !== 28) return refuse('type is not A or AAAA');
    if (portsOf(allow, question.name).length === 0) return refuse('name is not allowlisted');
    return { verdict: 'forward', message, rule: 'forwarded as it came' };
  };
};
