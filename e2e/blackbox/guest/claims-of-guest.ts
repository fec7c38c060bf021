/**
 * Runs the parts against a guest: its agents are pinged and told first, all else beside and after.
 * Invariant: what was not asked, or was asked of an agent that does not answer, never counts as held; whatever was
 * started is ended.
 */

import { isMissing } from '../chosen-parts.ts';
import { byClaim, type ClaimAnswer, type Finding, type PartAnswer, worst } from '../finding.ts';
import { TimeUp } from '../pace.ts';
import type { ClaimId } from './claim-ids.ts';
import type { Missing, Part } from './part.ts';
import { partsOf } from './parts-of.ts';
import type { Settings } from './settings.ts';
import { Stage } from './stage.ts';
import { Unreachable } from './unreachable.ts';

export interface Checked {
  readonly claims: readonly ClaimAnswer<ClaimId>[];
  /** The time limit or an interrupt came first. */
  readonly cutOff: string | null;
  /** Requests and commands. */
  readonly requests: number;
  readonly forks: number;
  /** Of what was started: what is left. */
  readonly left: readonly string[];
}

export type Progress = (part: string, done: number, all: number) => void;

export async function checkGuest(
  settings: Settings,
  signal: AbortSignal,
  progress: Progress = () => undefined,
): Promise<Checked> {
  const parts = partsOf(settings);
  const stage = new Stage(settings, signal, new Set(parts.map(({ id }) => id)));
  const answers: PartAnswer<ClaimId>[] = [];
  let cutOff: string | null = null;
  try {
    for (const [index, part] of parts.entries()) {
      const begin = performance.now();
      const answered = await answerOf(stage, part, cutOff);
      cutOff = answered.cutOff;
      answers.push({ ...answered.answer, ms: Math.round(performance.now() - begin) });
      progress(`${part.claim} ${part.id}`, index + 1, parts.length);
    }
  } finally {
    await stage.close();
  }
  const claims = byClaim(answers, worst);
  const { forks, pace } = stage;
  return { claims, cutOff, requests: pace.sent, forks: forks.taken, left: forks.left };
}

async function answerOf(
  stage: Stage,
  part: Part | Missing,
  cutOff: string | null,
): Promise<{ readonly answer: PartAnswer<ClaimId>; readonly cutOff: string | null }> {
  const { claim, id, never } = part;
  if (isMissing(part)) {
    const head = { claim, id, never, sends: '', clause: '', ms: 0 };
    return { answer: { ...head, outcome: 'unsupported', observed: part.reason, give: part.give }, cutOff };
  }
  const { sends, clause } = part;
  const given = (finding: Finding) => ({ claim, id, never, sends, clause, ms: 0, ...finding });
  if (cutOff !== null) {
    return { answer: given({ outcome: 'not-run', observed: cutOff, give: '--duration' }), cutOff };
  }
  try {
    return { answer: given(await part.run(stage)), cutOff };
  } catch (error) {
    if (error instanceof Unreachable) {
      const { outcome, message, give } = error;
      return { answer: given({ outcome, observed: message, give }), cutOff };
    }
    if (!(error instanceof TimeUp)) throw error;
    const why = error.message;
    return { answer: given({ outcome: 'not-run', observed: why, give: '--duration' }), cutOff: why };
  }
}
