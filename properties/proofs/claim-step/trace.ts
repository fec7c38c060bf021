/** How a state was reached, for a person: who did what under which precondition, and what came of it. */

import { described, resultOf } from '../../models/claim-trace.ts';
import type { Owner, Step } from '../../models/claim-world.ts';
import { pool } from '../../models/husk-pod.ts';
import { Canon } from './canon.ts';
import { fresh, reads } from './layout.ts';
import { claimName, claimUid, controllerName } from './names.ts';
import { type Offered, Steps } from './steps.ts';
import type { CheckedWorld } from './world.ts';

/**
 * The run that visits those bunches of states in turn, from the initial state: one run, not images of pieces
 * of several.
 */
export function retrace(
  world: CheckedWorld,
  path: readonly Uint16Array[],
): { readonly steps: Step[]; readonly end: Uint16Array } {
  const canon = new Canon(world);
  const next = new Steps(world);
  const state = world.initial();
  const steps: Step[] = [];
  for (const wanted of path.slice(1)) {
    let found: Uint16Array | null = null;
    let row: Step | null = null;
    next.expand(state, () => {
      if (found !== null) return;
      canon.of(next.next);
      if (!canon.result.every((word, index) => word === wanted[index])) return;
      found = next.next.slice();
      row = rowOf(world, next.offered, state);
    });
    if (found === null || row === null) throw new Error('the run cannot be found again');
    steps.push(row);
    state.set(found);
  }
  return { steps, end: state };
}

function rowOf(world: CheckedWorld, offered: Offered, before: Uint16Array): Step {
  const { controller, claim, pod, kind } = offered;
  const who = controller < 0 ? kind : controllerName(controller);
  const row = (what: string, precondition = '', result = ''): Step => ({ who, what, precondition, result });
  switch (kind) {
    case 'thinks':
      return thoughtOf(world, offered, before, row);
    case 'arrives':
    case 'late':
      return arrivalRow(world, who, offered.deed, endOf(offered));
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

/** An action that arrived, and what came of it. */
export function arrivalRow(world: CheckedWorld, who: string, deed: number, result: string): Step {
  const facts = world.facts.deed(deed);
  if (facts === null) throw new Error('no action of this number');
  const { what, precondition } = described(ownerOf(world, facts.claim), facts.action);
  return {
    who,
    what,
    precondition: precondition.replace(/rv version of .*$/, 'the version that was read'),
    result,
  };
}

function ownerOf(world: CheckedWorld, claim: number): Owner {
  const { namespace } = pool;
  return { kind: 'SandboxClaim', namespace, name: claimName(world.scope, claim), uid: claimUid(claim) };
}

function endOf({ fate, answer }: Offered): string {
  if (fate === 'never arrived') return 'never arrives; no answer';
  return fate === 'answered' ? resultOf(answer) : 'is carried out; its answer is lost';
}

/** What the worker looked at and what it made of it. */
function thoughtOf(
  world: CheckedWorld,
  offered: Offered,
  before: Uint16Array,
  row: (what: string, precondition: string, result: string) => Step,
): Step {
  const { thinking } = world;
  const state = before.slice();
  world.sync(state, offered.controller, offered.captures);
  const sight = world.sightOf(state, offered.controller, offered.claim);
  const [there] = thinking.orders[offered.deed] as readonly [number, number];
  const { rule } = thinking.explain(thinking.reordered(sight, there));
  const old = sight.pending === reads ? [] : oldKinds(world, state, offered.controller, offered.claim);
  const view =
    sight.pending === reads
      ? 'the API server itself'
      : old.length === 0
        ? 'what is stored'
        : `an old view of ${old.join(', ')}`;
  return row(`${claimName(world.scope, offered.claim)}: decides from ${view}`, '', rule);
}

function oldKinds(world: CheckedWorld, state: Uint16Array, controller: number, claim: number): string[] {
  const { layout } = world;
  const isOld = (stored: number) => state[layout.copy(controller, stored)] !== fresh;
  return [
    isOld(layout.claim(claim)) ? ['the claim'] : [],
    layout.stored('pods').some(isOld) ? ['the pods'] : [],
    layout.stored('records').some(isOld) ? ['the ledger'] : [],
  ].flat();
}
