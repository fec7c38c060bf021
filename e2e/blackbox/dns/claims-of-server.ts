/**
 * Runs the parts against the server: the positive control first, beside and after. Invariant: what was not
 * asked, or was asked of a server that does not answer the control, never counts as held.
 */
import { types } from '#properties/models/dns-message.ts';
import { isMissing } from '../chosen-parts.ts';
import { byClaim, type ClaimAnswer, type Finding, type Outcome, type PartAnswer, worst } from '../finding.ts';
import { TimeUp } from '../pace.ts';
import type { ClaimId } from './claim-ids.ts';
import { type Control, control, recovered, remedyOf, type ServerState } from './controls.ts';
import type { Missing, Part } from './part.ts';
import { partsOf } from './parts-of.ts';
import type { AddressType, Stage } from './stage.ts';

export interface Checked {
  readonly server: { readonly state: ServerState; readonly reason: string; readonly give: string };
  readonly claims: readonly ClaimAnswer<ClaimId>[];
  /** The time limit or an interrupt came first. */
  readonly cutOff: string | null;
  readonly questions: number;
}

export type Progress = (claim: ClaimId, done: number, all: number) => void;

const sideBySide = 12;
const waitGapMs = 500;
const families: readonly AddressType[] = [types.a, types.aaaa];

export async function checkServer(stage: Stage, progress: Progress = () => undefined): Promise<Checked> {
  const parts = partsOf(stage.settings);
  const run = new Run(stage, parts, progress);
  try {
    await run.all();
  } catch (error) {
    if (!(error instanceof TimeUp)) throw error;
    run.cutOff = error.message;
  }
  return run.result();
}

class Run {
  readonly #stage: Stage;
  readonly #parts: readonly (Part | Missing)[];
  readonly #progress: Progress;
  readonly #answers = new Map<Part | Missing, PartAnswer<ClaimId>>();
  #server: Control = { state: 'dead', reason: 'the control was not asked', ms: 0 };
  cutOff: string | null = null;

  constructor(stage: Stage, parts: readonly (Part | Missing)[], progress: Progress) {
    this.#stage = stage;
    this.#parts = parts;
    this.#progress = progress;
  }

  async all(): Promise<void> {
    for (const type of families) {
      this.#server = await this.#firstControl(type);
      if (this.#server.state !== 'answers') return;
    }
    for (const claim of new Set(this.#parts.map((part) => part.claim))) {
      if (!(await this.#claim(claim))) return;
    }
  }

  /** Once more for what just started; then patiently, so as to say what is wrong with it. */
  async #firstControl(type: AddressType): Promise<Control> {
    const endMs = performance.now() + this.#stage.settings.waitMs;
    let quick = await control(this.#stage, type);
    while (quick.state !== 'answers' && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, waitGapMs));
      quick = await control(this.#stage, type);
    }
    return quick.state === 'answers' ? quick : await control(this.#stage, type, true);
  }

  /** false: the server does not answer the control any more. */
  async #claim(claim: ClaimId): Promise<boolean> {
    const own = this.#parts.filter((part): part is Part => part.claim === claim && !isMissing(part));
    const waiting = own.filter(({ alone }) => alone !== true);
    let done = 0;
    const one = async (part: Part) => {
      await this.#part(part);
      done += 1;
      this.#progress(claim, done, own.length);
    };
    const worker = async () => {
      for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) await one(part);
    };
    // All of them end before the first failure is passed on: nothing goes on in the background.
    const ended = await Promise.allSettled(Array.from({ length: sideBySide }, worker));
    for (const result of ended) if (result.status === 'rejected') throw result.reason;
    for (const part of own.filter(({ alone }) => alone === true)) {
      await one(part);
      if (this.#answers.get(part)?.outcome === 'crashed') return this.#gone(claim, part.id);
    }
    return own.length === 0 || this.#answersStill(claim);
  }

  async #part(part: Part): Promise<void> {
    const begin = performance.now();
    let finding = await part.run(this.#stage);
    // What did not come may have been lost on the way, by us or by the kernel: it counts when it fails again.
    if (finding.absent === true) finding = await part.run(this.#stage);
    const ms = Math.round(performance.now() - begin);
    this.#answers.set(part, answerTo(part, finding, ms));
  }

  async #answersStill(claim: ClaimId): Promise<boolean> {
    for (const type of families) {
      const still = await recovered(this.#stage, type);
      if (still.state !== 'answers') return this.#gone(claim, still.reason);
    }
    return true;
  }

  #gone(claim: ClaimId, why: string): false {
    const last = this.#parts.findLast((part) => part.claim === claim && this.#answers.has(part));
    const known = last === undefined ? undefined : this.#answers.get(last);
    if (last !== undefined && known !== undefined && known.outcome !== 'crashed') {
      const observed = `after these parts the server answers nothing: ${why}`;
      this.#answers.set(last, { ...known, outcome: 'crashed', observed });
    }
    this.#server = { state: 'dead', reason: `it died of ${claim}: ${why}`, ms: 0 };
    return false;
  }

  result(): Checked {
    const { state, reason } = this.#server;
    const give = state === 'answers' ? '' : remedyOf[state];
    const list = this.#parts.map((part) => this.#answers.get(part) ?? this.#without(part, reason, give));
    const claims = byClaim(list, together);
    return { server: { state, reason, give }, claims, cutOff: this.cutOff, questions: this.#stage.pace.sent };
  }

  #without(part: Part | Missing, reason: string, give: string): PartAnswer<ClaimId> {
    if (isMissing(part)) {
      const { claim, id, never } = part;
      const head = { claim, id, never, sends: '', clause: '', ms: 0 };
      return { ...head, outcome: 'unsupported', observed: part.reason, give: part.give };
    }
    const observed = this.cutOff ?? `the server: ${reason}`;
    return answerTo(
      part,
      { outcome: 'not-run', observed, give: this.cutOff === null ? give : '--duration' },
      0,
    );
  }
}

function answerTo(
  { claim, id, sends, never, clause }: Part,
  finding: Finding,
  ms: number,
): PartAnswer<ClaimId> {
  return { claim, id, sends, never, clause, ms, ...finding };
}

/** A claim holds when a part held and nothing stands against it; what is unsupported beside others is named. */
function together(outcomes: readonly Outcome[]): Outcome {
  const found = worst(outcomes);
  return found === 'unsupported' && outcomes.includes('holds') ? 'holds' : found;
}
