/**
 * What a program's answers to one decision are held to. Each decision has a file of its own in `materials/`,
 * found by its name; it exports `material`.
 */
import { readdirSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import { type DecisionName, decisions } from '../../protocol/decisions.ts';
import type { Answer } from './conversation.ts';

/** A decision that is not what it must be. */
export interface Finding {
  readonly input: unknown;
  readonly expected: unknown;
  readonly got: unknown;
  readonly rule: string;
}

/** Asks, hears the answer, and asks again until it knows what is wrong, or that nothing is. */
export type Talk = Generator<unknown, Finding | null, Answer>;

export interface Question {
  /** A vector's id, or `generated`. */
  readonly source: string;
  /** Sent once, in the first line: questions of one configuration share a conversation. */
  readonly config: unknown;
  readonly talk: () => Talk;
}

export interface Budget {
  /** Inputs to generate; a step decision's events count. */
  readonly inputs: number;
  readonly seed: number;
}

export interface Material {
  /**
   * A step decision: an answer's state goes into the next question of the same talk, so the program must
   * answer before its stdin ends.
   */
  readonly continues: boolean;
  /** What is compared, in words for --help and docs, where it is not just the equality rule. */
  readonly compares?: string;
  /** The published corpus that has its shape; null: none. */
  readonly corpus: string | null;
  /** The vectors of the corpus, whose verdicts no code of ours made. */
  readonly vectors: () => readonly Question[];
  /** Generated, and compared with the reference. */
  readonly generate: (budget: Budget) => Promise<readonly Question[]>;
}

/** Decisions that cannot be held to anything over the protocol, and why. */
export const notCheckable: Partial<Record<DecisionName, string>> = {
  'claim-step':
    'its purposes, object names and messages are words of the program’s own, so equality with the reference would judge words',
  ruleset:
    'rules of one’s own are right in their own words: `pnpm check nft` proves what they do, and claims judge a subject',
};

const folder = new URL('materials/', import.meta.url);

/** Decisions that a program can be held to: those with a file in `materials/`. */
export const checkableDecisions: readonly DecisionName[] = (() => {
  const files = new Set(readdirSync(folder));
  return (Object.keys(decisions) as DecisionName[]).filter((name) => files.has(`${name}.ts`));
})();

/** @throws CodedError `unknown-decision` when nothing here can judge it */
export async function loadMaterial(name: string): Promise<Material> {
  if (!(checkableDecisions as readonly string[]).includes(name)) {
    const reason = notCheckable[name as DecisionName];
    throw new CodedError(
      'unknown-decision',
      `there is nothing to hold '${name}' to${reason === undefined ? '' : `: ${reason}`}`,
      `valid: ${checkableDecisions.join(', ')}`,
    );
  }
  const module = (await import(new URL(`${name}.ts`, folder).href)) as { material: Material };
  return module.material;
}
