/**
 * The reference's dns-build behind the subject protocol: plans the pins, then builds the answer from their
 * outcomes.
 */
import { buildAnswer, planAnswer } from '#reference/decisions/dns-answer/dns-build.ts';
import { compileDnsPolicy } from '#reference/decisions/dns-answer/dns-policy.ts';
import { readMessage } from '#reference/decisions/dns-answer/wire.ts';
import { formatAddress } from '#reference/decisions/pin-address/ip-address.ts';
import type { Bind, InputOf } from '../../protocol/decision.ts';
import type { dnsBuild } from '../../protocol/dns-build.ts';

type Outcomes = NonNullable<InputOf<typeof dnsBuild>['outcomes']>;

export const bind: Bind<typeof dnsBuild> = (config) => {
  const policy = compileDnsPolicy(config);
  return (input) => {
    const guest = readMessage(Buffer.from(input.query, 'hex'));
    const reply = readMessage(Buffer.from(input.reply, 'hex'));
    // dns-query and dns-reply let neither through: there is nobody to answer.
    if (guest === null || reply === null) return { pins: [], answer: null, refused: [], rule: 'malformed' };
    const plan = planAnswer(policy, guest, reply, input.transport);
    const texts = plan.addresses.map(({ offset, length }) => formatAddress(reply.bytes, offset, length));
    const pins = texts.flatMap((address) =>
      plan.ports.map((port) => ({ address, ...port, ttlSeconds: plan.pinTtlSeconds })),
    );
    const refused = plan.refused.map(({ offset, length, rule }) => ({
      address: formatAddress(reply.bytes, offset, length),
      rule,
    }));
    const waits = plan.final === null && input.outcomes === null;
    const answer = waits
      ? null
      : hexOf(buildAnswer(guest, reply, plan, remaining(texts, input.outcomes ?? [])));
    return { pins, answer, refused, rule: plan.rule };
  };
};

/** Least remaining life of the addresses, or null when one is not pinned. */
function remaining(addresses: readonly string[], outcomes: Outcomes): number | null {
  let least = Number.MAX_SAFE_INTEGER;
  for (const address of addresses) {
    const outcome = outcomes.find((candidate) => candidate.address === address);
    if (outcome === undefined || !outcome.pinned) return null;
    least = Math.min(least, outcome.remainingSeconds);
  }
  return least;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
