/** A counterexample that somebody can read, send and capture: its frame, its way, the rule that let it pass. */
import type { Bdd, Bdds } from '#properties/oracles/bdd/bdd.ts';
import { never } from '#properties/oracles/bdd/bdd.ts';
import { Decider } from '#properties/oracles/nft/decide.ts';
import type { Step } from '#properties/oracles/nft/evaluate/chain.ts';
import type { Outcome } from '#properties/oracles/nft/evaluate/pipeline.ts';
import { describe } from '#properties/oracles/nft/prove/counterexample.ts';
import type { Unknown } from '#properties/oracles/nft/prove/unknown-packet.ts';
import { NotUnderstood, type Ruleset } from '#properties/oracles/nft/ruleset.ts';
import type { Topology } from '#properties/oracles/nft/topology.ts';
import { correctChecksums, withPriorityTag } from './frame.ts';
import type { Question } from './part.ts';
import { ruleWords } from './rule-words.ts';

export interface Visit {
  readonly hook: string;
  /** family, table, chain. */
  readonly chain: string;
  /** null: the chain's policy. */
  readonly handle: number | null;
  readonly rule: string;
  readonly verdict: string;
}

export interface Counterexample {
  readonly fields: Readonly<Record<string, string>>;
  /** null: this host sends it; the frame begins with its IP header. */
  readonly device: string | null;
  readonly frame: string;
  readonly outcome: string;
  /** Decided again by itself, the frame comes to the same end; false: it rests on what cannot be known here. */
  readonly confirmed: boolean;
  /** Every rule with a verdict that it meets, and policies; in order. */
  readonly path: readonly Visit[];
  /** The rules and policies that let it pass; empty: no chain looked at it. */
  readonly accepted: readonly Visit[];
}

export interface Ground {
  readonly ruleset: Ruleset;
  readonly topology: Topology;
}

/** Some packet of `when`, as readable as the question's preferences can make it. */
export function counterexample(
  ground: Ground,
  question: Question,
  bdds: Bdds,
  unknown: Unknown,
  outcome: Outcome,
  when: Bdd,
): Counterexample {
  let chosen = when;
  for (const alternatives of question.prefer) {
    for (const condition of alternatives) {
      const narrowed = bdds.and(chosen, condition(unknown, bdds));
      if (narrowed === never) continue;
      chosen = narrowed;
      break;
    }
  }
  const assignment = bdds.satisfy(chosen) ?? new Map<number, boolean>();
  const { device } = question;
  const { fields, frame, connection } = describe(bdds, { ...ground, device }, unknown, outcome, assignment);
  const plain = correctChecksums(frame, device !== null);
  const dressed = question.priorityTag === true ? withPriorityTag(plain) : plain;
  const again = decideAgain(ground, { device, frame: dressed, connection }, outcome);
  const path = (again?.steps ?? []).filter(hasVerdict).map(visitOf);
  return {
    fields: question.priorityTag === true ? { ...fields, 'vlan tag': 'identifier 0' } : fields,
    device,
    frame: dressed.toString('hex'),
    outcome: outcomeWords(outcome),
    confirmed: again !== null,
    path,
    accepted: path.filter(({ verdict }) => verdict === 'accept'),
  };
}

type Packet = Parameters<Decider['decide']>[0];

/** Limits are tried both ways; null: it ends otherwise, or cannot be decided. */
function decideAgain({ ruleset, topology }: Ground, packet: Packet, wanted: Outcome) {
  for (const limits of [true, false]) {
    try {
      const { outcome, steps } = new Decider(ruleset, topology, { limits }).decide(packet);
      if (outcome.kind === wanted.kind && outcome.device?.name === wanted.device?.name) return { steps };
    } catch (error) {
      if (!(error instanceof NotUnderstood || error instanceof RangeError)) throw error;
    }
  }
  return null;
}

function hasVerdict({ rule, verdict }: Step): boolean {
  return rule === null || verdict.code !== 'continue';
}

function visitOf({ table, chain, hook, rule, verdict }: Step): Visit {
  return {
    hook: hook.point,
    chain: `${table.family} ${table.name} ${chain}`,
    handle: rule === null ? null : rule.handle,
    rule: rule === null ? 'policy' : ruleWords(rule, table),
    verdict: 'chain' in verdict ? `${verdict.code} ${verdict.chain}` : verdict.code,
  };
}

/** `delivered (by tap0)`, `left by eth0`, `answered by the kernel: no route`. */
export function outcomeWords({ kind, device, reason }: Outcome): string {
  if (kind === 'left') return `left by ${device?.name}`;
  if (kind === 'refused') return `answered by the kernel: ${reason}`;
  if (kind === 'other') return `handed to ${reason}`;
  return kind === 'dropped' ? `dropped by ${reason}` : kind;
}
