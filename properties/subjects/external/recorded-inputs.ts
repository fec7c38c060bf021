/**
 * Inputs at the edges that the claims look for: the claims of a decision are judged on the reference, and
 * what they ask of it is kept. So every claim's own generator and stories reach a program.
 */
import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import type { Claim } from '../../claims/claim.ts';
import { listClaimIds, loadClaims } from '../../matrix/catalogue.ts';
import { type DecisionName, decisions } from '../../protocol/decisions.ts';
import { loadSubject } from '../load-subject.ts';
import type { Subject } from '../subject.ts';
import type { Budget } from './material.ts';

/** Asked under one configuration: one input, or the events of one life of a state machine in order. */
export interface Recorded {
  readonly config: object;
  readonly inputs: readonly unknown[];
}

/** Each configuration is a process of its own: more would show nothing that these do not. */
const maxConfigs = 8;
const casesAtOnce = 20;
/** Cases in a row without a new input, after which a claim has nothing to add. */
const patience = 200;
/** What one claim cannot give, another may. */
const maxPasses = 3;
const seedsAPass = 1_000_003;

interface Life {
  readonly config: object;
  readonly texts: string[];
}

/** Writes down what is asked of one decision. */
class Recorder {
  readonly lives: Life[] = [];
  readonly #name: DecisionName;
  readonly #configs = new Set<string>();
  readonly #seen = new Set<string>();
  readonly #lifeOf = new WeakMap<object, Life>();
  #inputs = 0;

  constructor(name: DecisionName) {
    this.#name = name;
  }

  get inputs(): number {
    return this.#inputs;
  }

  around(subject: Subject): Subject {
    return {
      name: subject.name,
      decide: (name, config) => {
        const bound = subject.decide(name, config);
        if (name !== this.#name || !this.#keeps(config)) return bound;
        return (input) => {
          const keep = this.#record(config, input);
          const output = bound(input);
          keep(output as object);
          return output;
        };
      },
    };
  }

  #keeps(config: object): boolean {
    const text = JSON.stringify(config);
    if (this.#configs.has(text)) return true;
    if (this.#configs.size >= maxConfigs) return false;
    this.#configs.add(text);
    return true;
  }

  #record(config: object, input: object): (output: object) => void {
    if (!('event' in input)) {
      const text = JSON.stringify(input);
      const key = `${JSON.stringify(config)} ${text}`;
      if (!this.#seen.has(key)) {
        this.#seen.add(key);
        this.#inputs += 1;
        this.lives.push({ config, texts: [text] });
      }
      return () => undefined;
    }
    const { state, event } = input as { state: unknown; event: unknown };
    let life = typeof state === 'object' && state !== null ? this.#lifeOf.get(state) : undefined;
    if (life === undefined) {
      life = { config, texts: [] };
      this.lives.push(life);
    }
    life.texts.push(JSON.stringify(event));
    this.#inputs += 1;
    return (output) => {
      const { state: next } = output as { state: unknown };
      if (typeof next === 'object' && next !== null) this.#lifeOf.set(next, life);
    };
  }
}

/** Inputs of a decision, from every claim that asks it, as far as its input schema accepts them. */
export async function recordedInputs(name: DecisionName, { inputs, seed }: Budget): Promise<Recorded[]> {
  if (inputs === 0) return [];
  const claims = (await loadClaims(await listClaimIds())).filter((claim) => claim.decisions.includes(name));
  if (claims.length === 0)
    throw new Error(`no claim asks ${name}: its material has to generate inputs itself`);
  const recorder = new Recorder(name);
  for (let pass = 0; pass < maxPasses && recorder.inputs < inputs; pass++) {
    const [before, missing] = [recorder.inputs, inputs - recorder.inputs];
    for (const [index, claim] of claims.entries()) {
      const until = before + Math.ceil((missing * (index + 1)) / claims.length);
      await recordClaim(claim, recorder, until, seed + pass * seedsAPass, pass === 0);
    }
  }
  const acceptsInput = new Ajv({ strict: false }).compile(decisions[name].input);
  const accepted = (value: unknown) =>
    acceptsInput(isStep(name) ? { state: null, event: value } : value) === true;
  return recorder.lives
    .map(({ config, texts }) => ({ config, inputs: texts.map((text): unknown => JSON.parse(text)) }))
    .filter((recorded) => recorded.inputs.every(accepted));
}

/** Whether its inputs carry a state. */
function isStep(name: DecisionName): boolean {
  return 'event' in decisions[name].example.input;
}

/** Judges the claim on the reference until so many inputs are recorded, or nothing new comes. */
async function recordClaim(
  claim: Claim,
  recorder: Recorder,
  until: number,
  seed: number,
  withExamples: boolean,
): Promise<void> {
  const subject = recorder.around(await loadSubject('reference', claim.decisions));
  let idle = 0;
  let round = 0;
  let cases: readonly unknown[] = withExamples ? (claim.examples?.() ?? []) : [];
  while (recorder.inputs < until && idle < patience) {
    for (const one of cases) {
      if (recorder.inputs >= until) return;
      const before = recorder.inputs;
      await claim.judge(subject, one);
      idle = recorder.inputs > before ? 0 : idle + 1;
    }
    cases = fc.sample(claim.arbitrary({}), { seed: seed + round, numRuns: casesAtOnce });
    round += 1;
  }
}
