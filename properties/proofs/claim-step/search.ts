/** Breadth first through every state of the world, one of each symmetric bunch. */
import type { Violation } from '../../oracles/violation.ts';
import { StateSet } from './state-set.ts';
import { Canon } from './canon.ts';
import type { CheckedWorld } from './world.ts';

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly complete: boolean;
  readonly inputs: number;
  readonly bytes: number;
  readonly path: readonly Uint16Array[];
  readonly violation: { readonly state: number; readonly violation: Violation } | null;
}

export function explore(world: CheckedWorld, limit: number, onState?: (state: Uint16Array) => Violation | null): Explored {
  const { width } = world.layout;
  const seen = new StateSet(width / 2, 1 << 20);
  const canon = new Canon(world);
  const state = new Uint16Array(width);
  const state32 = new Uint32Array(state.buffer);
  const canonical32 = new Uint32Array(canon.result.buffer);
  let transitions = 0;
  let depth = 0;
  let violation: Explored['violation'] = null;
  const parents: number[] = [];
  let current = -1;
  const take = (): void => {
    transitions++;
    canon.of(world.next);
    const number = seen.add(canonical32);
    if (number < 0) return;
    parents.push(current);
    const found = world.arrivals.broken ?? world.violation(canon.result) ?? onState?.(canon.result) ?? null;
    if (found !== null) violation ??= { state: number, violation: found };
  };
  world.next.set(world.initial());
  take();
  let levelEnd = 1;
  for (current = 0; current < seen.size && seen.size < limit && violation === null; current++) {
    if (current === levelEnd) { depth++; levelEnd = seen.size; if (process.env.V) console.log(depth, seen.size, transitions, world.lexicon.size, world.thinking.inputs); }
    seen.read(current, state32);
    world.expand(state, take);
  }
  const path: Uint16Array[] = [];
  if (violation !== null) {
    for (let at = violation.state; at >= 0; at = parents[at] as number) {
      seen.read(at, state32);
      path.unshift(state.slice());
    }
  }
  return { states: seen.size, transitions, depth, complete: current === seen.size, inputs: world.thinking.inputs, bytes: seen.bytes, violation, path };
}
