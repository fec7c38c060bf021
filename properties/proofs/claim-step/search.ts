/**
 * Breadth first through every state of a world, one of each symmetric bunch, so that the first violation has
 * a shortest trace.
 */
import { sequenceTable } from '../../models/claim-trace.ts';
import type { Step } from '../../models/claim-world.ts';
import type { Violation } from '../../oracles/violation.ts';
import { brokenAssumption } from './assumptions.ts';
import { Canon } from './canon.ts';
import { Settling } from './settling.ts';
import { StateSet } from './state-set.ts';
import { Steps } from './steps.ts';
import { retrace } from './trace.ts';
import type { CheckedWorld } from './world.ts';

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Steps of the longest of the shortest runs. */
  readonly depth: number;
  /** Different inputs that claim-step was asked. */
  readonly inputs: number;
  /** Situations that fair runs went through, and the rounds of the longest. */
  readonly situations: number;
  readonly rounds: number;
  readonly bytes: number;
  /** null: every state and every transition is as it must be. */
  readonly trace: readonly string[] | null;
}

/** @throws Error when the world has more states than `most`: a scope is exhausted or it says nothing */
export function exhaust(
  world: CheckedWorld,
  most: number,
  progress: (states: number, transitions: number) => void,
): Explored {
  const search = new Search(world);
  search.start();
  while (search.violation === null && search.next()) {
    if (search.states > most) throw new Error(`scope ${world.scope.name}: more than ${most} states`);
    if (search.current % 0x8000 === 0) progress(search.states, search.transitions);
  }
  // Safety first: what goes wrong is easier to read than what never comes right.
  if (search.violation === null) search.settle(() => progress(search.states, search.transitions));
  const broken = search.violation === null ? brokenAssumption(world) : null;
  if (broken !== null) throw new Error(`scope ${world.scope.name}: ${broken}`);
  return search.result();
}

class Search {
  readonly #world: CheckedWorld;
  readonly #steps: Steps;
  readonly #seen: StateSet;
  readonly #canon: Canon;
  readonly #canonical32: Uint32Array;
  readonly #settling: Settling;
  readonly #state: Uint16Array;
  readonly #state32: Uint32Array;
  #parents = new Int32Array(1 << 16);
  #levelEnd = 1;
  #depth = 0;
  transitions = 0;
  current = -1;
  violation: Violation | null = null;
  #violating = -1;
  #unsettled = false;

  constructor(world: CheckedWorld) {
    const { width } = world.layout;
    this.#world = world;
    this.#steps = new Steps(world);
    this.#seen = new StateSet(width / 2, 1 << 16);
    this.#canon = new Canon(world);
    this.#canonical32 = new Uint32Array(this.#canon.result.buffer);
    this.#settling = new Settling(world);
    this.#state = new Uint16Array(width);
    this.#state32 = new Uint32Array(this.#state.buffer);
  }

  get states(): number {
    return this.#seen.size;
  }

  start(): void {
    this.#steps.next.set(this.#world.initial());
    this.#take();
    this.current = 0;
  }

  /** Expands one state; false when there is none left. */
  next(): boolean {
    if (this.current === this.#seen.size) return false;
    if (this.current === this.#levelEnd) {
      this.#depth += 1;
      this.#levelEnd = this.#seen.size;
    }
    this.#seen.read(this.current, this.#state32);
    this.#steps.expand(this.#state, this.#takeBound);
    this.current += 1;
    return true;
  }

  readonly #takeBound = (): void => this.#take();

  #take(): void {
    if (this.violation !== null) return;
    this.transitions += 1;
    const world = this.#world;
    this.#canon.of(this.#steps.next);
    const number = this.#seen.add(this.#canonical32);
    const broken = world.arrivals.broken;
    if (number < 0) {
      // A transition may be wrong though it leads to a state that is known: its trace ends with it.
      if (broken !== null) this.#found(broken, ~number, this.current);
      return;
    }
    if (number === this.#parents.length) {
      const larger = new Int32Array(number * 2);
      larger.set(this.#parents);
      this.#parents = larger;
    }
    this.#parents[number] = this.current;
    const { result } = this.#canon;
    const found = broken ?? world.violation(result);
    if (found !== null) this.#found(found, number, this.current);
  }

  /** From every state, with no more faults, everything comes to an end. */
  settle(progress: () => void): void {
    for (let number = 0; number < this.#seen.size && this.violation === null; number++) {
      this.#seen.read(number, this.#state32);
      this.violation = this.#settling.check(this.#state);
      this.#violating = number;
      if (number % 0x8000 === 0) progress();
    }
    this.#unsettled = this.violation !== null;
  }

  #found(violation: Violation, state: number, parent: number): void {
    this.violation = violation;
    this.#violating = state;
    this.#parents[state] = parent;
  }

  #trace(): string[] | null {
    if (this.violation === null) return null;
    const path: Uint16Array[] = [];
    for (let at = this.#violating; at >= 0; at = this.#parents[at] as number) {
      this.#seen.read(at, this.#state32);
      path.unshift(this.#state.slice());
    }
    const { observed, required, requiredRule } = this.violation;
    const { steps, end } = retrace(this.#world, path);
    const fair: Step[] = [];
    if (this.#unsettled) new Settling(this.#world, fair).check(end);
    const [head = '', ...rows] = sequenceTable([...steps, ...fair]);
    return [
      `observed   ${observed}`,
      `required   ${required}  [${requiredRule}]`,
      `scope      ${this.#world.scope.name}, ${path.length - 1} steps${this.#unsettled ? ', then no more faults' : ''}`,
      `    ${head}`,
      ...rows.map((row, index) => `${String(index + 1).padStart(2)}  ${row}`),
    ];
  }

  result(): Explored {
    return {
      states: this.#seen.size,
      transitions: this.transitions,
      depth: this.#depth,
      inputs: this.#world.thinking.inputs,
      situations: this.#settling.situations,
      rounds: this.#settling.longest,
      bytes: this.#seen.bytes + this.#parents.byteLength,
      trace: this.#trace(),
    };
  }
}
