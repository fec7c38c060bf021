/**
 * Answers every question about a ruleset: holds, falsified with a packet, or unsupported with the reason.
 * Invariant: what is not understood, or not told, is never an answer in favour of the ruleset.
 */
import { type Bdds, never } from '#properties/oracles/bdd/bdd.ts';
import { prove } from '#properties/oracles/nft/prove/prove.ts';
import { Recording } from '#properties/oracles/nft/prove/recording.ts';
import { type Shape, shapes } from '#properties/oracles/nft/prove/unknown-packet.ts';
import { NotUnderstood } from '#properties/oracles/nft/ruleset.ts';
import { type Counterexample, counterexample, type Ground } from './counterexample.ts';
import { isMissing, type Part, type Question } from './part.ts';

export type PartAnswer = {
  readonly name: string;
  readonly never: string;
  readonly ms: number;
} & (
  | { readonly outcome: 'holds' }
  | { readonly outcome: 'falsified'; readonly packet: Counterexample }
  | { readonly outcome: 'unsupported'; readonly reason: string; readonly give: string }
);

interface Found {
  packet: Counterexample | null;
  lack: { reason: string; give: string } | null;
  /** Of the counterexample: the lower, the plainer. */
  rank: number;
  ms: number;
}

export interface Judged {
  readonly answers: ReadonlyMap<Part, PartAnswer>;
  readonly assumptions: readonly string[];
}

/** Questions about packets of one origin and shape share one walk through the ruleset. */
export function judge(ground: Ground, parts: readonly Part[]): Judged {
  const questions = parts.filter((part): part is Question => !isMissing(part));
  const found = new Map<Question, Found>(
    questions.map((one) => [one, { packet: null, lack: null, rank: worst, ms: 0 }]),
  );
  const assumptions = new Set<string>();
  for (const device of new Set(questions.map((one) => one.device))) {
    for (const shape of shapes) {
      const asked = questions.filter((one) => one.device === device && one.shapes(shape));
      const open = asked.filter((one) => found.get(one)?.packet === null);
      if (open.length > 0) walk(ground, shape, open, found, assumptions);
    }
  }
  const answers = new Map(parts.map((part) => [part, answerOf(part, found)]));
  return { answers, assumptions: [...assumptions] };
}

function answerOf(part: Part, found: ReadonlyMap<Question, Found>): PartAnswer {
  const { name, never: sentence } = part;
  const head = { name, never: sentence };
  if (isMissing(part))
    return { ...head, ms: 0, outcome: 'unsupported', reason: part.reason, give: part.give };
  const one = found.get(part);
  const ms = Math.round(one?.ms ?? 0);
  if (one?.packet) return { ...head, ms, outcome: 'falsified', packet: one.packet };
  if (one?.lack) return { ...head, ms, outcome: 'unsupported', ...one.lack };
  return { ...head, ms, outcome: 'holds' };
}

/** Together first; where one reaches what is not understood, each by itself, about its own packets only. */
function walk(
  ground: Ground,
  shape: Shape,
  asked: readonly Question[],
  found: Map<Question, Found>,
  assumptions: Set<string>,
): void {
  const lack = walkTogether(ground, shape, asked, found, assumptions);
  if (lack === null) return;
  for (const question of asked) {
    const one = found.get(question) as Found;
    if (one.packet !== null) continue;
    const own = walkTogether(ground, shape, [question], found, assumptions);
    if (own !== null && one.packet === null) one.lack ??= own;
  }
}

/** null: every packet was looked at. */
function walkTogether(
  ground: Ground,
  shape: Shape,
  asked: readonly Question[],
  found: Map<Question, Found>,
  assumptions: Set<string>,
): Found['lack'] {
  const begin = performance.now();
  const [only] = asked;
  const alone = asked.length === 1 && only !== undefined ? { assuming: only.of } : {};
  try {
    const answer = prove({
      ...ground,
      ...alone,
      device: asked[0]?.device ?? null,
      shapes: [shape],
      forbidden: (outcome, unknown, bdds) => {
        for (const question of asked)
          note(ground, question, found.get(question) as Found, bdds, unknown, outcome);
        return never;
      },
    });
    for (const text of answer.assumptions) assumptions.add(text);
    return null;
  } catch (error) {
    return lackOf(error);
  } finally {
    const ms = (performance.now() - begin) / asked.length;
    for (const question of asked) (found.get(question) as Found).ms += ms;
  }
}

function note(
  ground: Ground,
  question: Question,
  one: Found,
  bdds: Bdds,
  unknown: Parameters<Question['of']>[0],
  outcome: Parameters<Question['against']>[0],
): void {
  if (bdds instanceof Recording) {
    askEverything(question, bdds, unknown, outcome);
    return;
  }
  if (one.packet !== null && rank(outcome) >= one.rank) return;
  const against = question.against(outcome, unknown, bdds);
  if (against === never) return;
  const when = bdds.all([outcome.when, against, question.of(unknown, bdds)]);
  if (when === never) return;
  const packet = counterexample(ground, question, bdds, unknown, outcome, when);
  const own = rank(outcome) + (packet.confirmed ? 0 : unconfirmed);
  if (own >= one.rank) return;
  one.packet = packet;
  one.rank = own;
}

/** The proof's dry run notes what is asked of each field: so everything is asked that may be asked later. */
function askEverything(
  question: Question,
  bdds: Bdds,
  unknown: Parameters<Question['of']>[0],
  outcome: Parameters<Question['against']>[0],
): void {
  question.against(outcome, unknown, bdds);
  question.of(unknown, bdds);
  for (const condition of question.prefer.flat()) condition(unknown, bdds);
}

/** Of several counterexamples the plainest is shown: one that arrives somewhere, and is confirmed. */
const unconfirmed = 10;
const worst = 100;

function rank({ kind }: Parameters<Question['against']>[0]): number {
  return kind === 'delivered' ? 0 : kind === 'left' ? 1 : kind === 'other' ? 2 : 3;
}

function lackOf(error: unknown): { reason: string; give: string } {
  if (error instanceof NotUnderstood) {
    const { expression, where } = error;
    return {
      reason: `${where}: ${expression} is not understood`,
      give: 'docs/nft-oracle.md lists what is; a rule without it can be checked',
    };
  }
  if (error instanceof RangeError && error.message.startsWith('a decision diagram')) {
    return { reason: error.message, give: 'a smaller ruleset, or one tap at a time' };
  }
  throw error;
}
