/** How a state was reached, for a person: who did what under which precondition, and what came of it. */
import type { Action, Outcome, Owner, Step } from '../../models/claim-world.ts';
import { described, resultOf } from '../../models/claim-trace.ts';
import { pool } from '../../models/husk-pod.ts';
import { Canon } from './canon.ts';
import type { Answer } from './deeds.ts';
import { absent } from './layout.ts';
import { claimName, claimUid, controllerName } from './names.ts';
import { unknownEnd } from './arrivals.ts';
import type { CheckedWorld } from './world.ts';

/**
 * The run that visits those bunches of states in turn, from the initial state: one run, not images of pieces
 * of several.
 */
export function retrace(world: CheckedWorld, path: readonly Uint16Array[]): Step[] {
  const canon = new Canon(world);
  const state = world.initial();
  const steps: Step[] = [];
  for (const wanted of path.slice(1)) {
    let found: Uint16Array | null = null;
    let row: Step | null = null;
    world.expand(state, () => {
      if (found !== null) return;
      canon.of(world.next);
      if (!canon.result.every((word, index) => word === wanted[index])) return;
      found = world.next.slice();
      row = rowOf(world, state);
    });
    if (found === null || row === null) throw new Error('the run cannot be found again');
    steps.push(row);
    state.set(found);
  }
  return steps;
}

function rowOf(world: CheckedWorld, before: Uint16Array): Step {
  const { offered } = world;
  const { controller, claim, pod, kind } = offered;
  const who = controller < 0 ? kind : controllerName(controller);
  const row = (what: string, precondition = '', result = ''): Step => ({ who, what, precondition, result });
  switch (kind) {
    case 'thinks':
      return thoughtOf(world, before, row);
    case 'arrives':
    case 'late': {
      const deed = world.facts.deed(offered.deed);
      if (deed === null) return row('nothing');
      const { what, precondition } = described(ownerOf(world, deed.claim), deed.action);
      return row(what, precondition, endOf(world, deed.action));
    }
    case 'crash':
      return row('kill -9, starts again');
    case 'time':
      return row('every deadline passes');
    case 'deletion':
      return row(`the author deletes ${claimName(world.scope, claim)}`);
    case 'creation':
      return row(`the author creates ${claimName(world.scope, claim)} again (${claimUid(claim)})`);
    case 'annotation':
      return row(`somebody annotates ${claimName(world.scope, claim)}`);
    case 'death':
      return row(`husk-${pod} dies`);
    case 'replacement':
      return row(`a tenant deletes husk-${pod} and makes it again under its name`);
  }
}

function ownerOf(world: CheckedWorld, claim: number): Owner {
  const { namespace } = pool;
  return { kind: 'SandboxClaim', namespace, name: claimName(world.scope, claim), uid: claimUid(claim) };
}

function endOf(world: CheckedWorld, action: Action): string {
  const { fate, answer } = world.offered;
  if (fate === 'never arrived') return 'never arrives; no answer';
  const told = resultOf(answer);
  if (fate === 'answered') return told;
  const unknown: Outcome | null = unknownEnd(action);
  return `is carried out; its answer is lost${unknown === null ? '' : ''}`;
}

/** What the worker looked at and what it made of it. */
function thoughtOf(
  world: CheckedWorld,
  before: Uint16Array,
  row: (what: string, precondition?: string, result?: string) => Step,
): Step {
  const { offered, layout, thinking } = world;
  const state = before.slice();
  world.sync(state, offered.controller, offered.captures);
  const sight = world.sightOf(state, offered.controller, offered.claim);
  const live = sight.pending === 2;
  const stale = live ? [] : staleOf(world, state, offered.controller, offered.claim);
  const { rule } = thinking.explain(sight);
  const seen = live ? 'the API server itself' : stale.length === 0 ? 'what is stored' : `an old view of ${stale.join(', ')}`;
  return row(`${claimName(world.scope, offered.claim)}: thinks, from ${seen}`, '', layout.claims > 0 ? rule : '');
}

function staleOf(world: CheckedWorld, state: Uint16Array, controller: number, claim: number): string[] {
  const { layout } = world;
  const old = (stored: number) => state[layout.copy(controller, stored)] !== 1;
  const pods = Array.from({ length: layout.pods }, (_, pod) => pod);
  return [
    old(layout.claim(claim)) ? ['the claim'] : [],
    pods.some((pod) => old(layout.pod(pod))) ? ['the pods'] : [],
    pods.some((pod) => old(layout.record(pod))) ? ['the ledger'] : [],
  ].flat();
}
