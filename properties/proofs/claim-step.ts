/**
 * claim-step, model-checked: every interleaving of controllers that run it, their crashes, old views, lost and
 * late answers, authors and tenants, within stated bounds. `claim-step/` holds the world that is exhausted.
 */
import { memoryAtStart, stepClaim } from '#reference/decisions/claim-step/claim-step.ts';
import { mutants } from '../mutants/claim-step.ts';
import { boundsOf, fullScopes, smallScopes } from './claim-step/scope.ts';
import { type Explored, exhaust } from './claim-step/search.ts';
import type { StepClaim } from './claim-step/thinking.ts';
import { CheckedWorld } from './claim-step/world.ts';
import { type Counts, mutantsNamed, type Proof } from './proof.ts';

/** More than any scope has: a scope is exhausted, or the proof fails. */
const mostStates = { full: 4_000_000, small: 100_000 } as const;

const step: StepClaim = (config, memory, event) => {
  const { state, actions, rule } = stepClaim(
    config,
    memory as Parameters<typeof stepClaim>[1],
    event as Parameters<typeof stepClaim>[2],
  );
  return { state, actions: actions as ReturnType<StepClaim>['actions'], rule };
};

export const proof: Proof = {
  name: 'claim-step',
  statement:
    'In every state that controllers running claim-step can reach: a pod serves one claim, a claim’s secrets reach one pod and not ' +
    'more often than the cap says, nothing is dialled before the intent for that pod is durable, only what a claim owns by UID is ' +
    'deleted for it and never a husk in use, no pod that saw secrets is used again or outlives its claim; and from every such state, ' +
    'without further faults, every claim ends Ready, Failed with a reason, Terminated or gone, and nothing is left over.',
  bounds: [
    ...fullScopes.flat().map(boundsOf),
    'an action may stay on its way for ever and arrive at any moment, also after its process is dead; each claim has one worker in each controller; both controllers lead',
    'states are counted once for each bunch that renaming claims, pods and controllers among themselves makes alike (up to 8)',
  ],
  assumptions: [
    'the API server does what properties/models/api-server.ts does, and a husk what properties/models/husk-host.ts does: random runs of the checker, every fault included, are replayed in the ClaimWorld and the states compared after every step (`claim-step/bisimulation.test.ts`)',
    'of a resourceVersion only equality with what is stored matters; claim-step copies versions and never looks into them, and between two deadlines the time makes no difference: tried with other versions and times on every input that occurred',
    'an answer is taken in when it arrives, not at the next thought: compared for every answer and view that occurred',
    'left out of a state: what a worker remembers and cannot use again (kept where the next decision would differ), a dial of an attempt that is over, a write that names an old version, a late action for a pod that is gone, who noted an intent that is settled, how often secrets were sent that can be sent no more. The ClaimWorld leaves out nothing, and does not part from the checker',
    'a controller has a worker for every claim and for every holder that the ledger names, also when its claim is gone: a mark may arrive after the last look and before the finalizer goes, and nobody else would reap it',
    'pods may be listed, and their UIDs sorted, in any order, anew at each thought: more than any one cluster does, so that pods can be renamed',
    'all tokens that one process makes for one claim are one, and all that a status of it names: a status never names a second',
    'forks, checkpoints, time-outs of Ready claims, and leadership that is lost and won again without a restart are not in this world',
    'states are kept and compared whole: no hash stands for a state',
  ],
  mutants: mutantsNamed(mutants, [
    'mark-without-version',
    'status-without-version',
    'intent-after-delivery',
    'take-over-believed-fresh',
    'another-husk-after-unreachable',
    'another-husk-after-delivery',
    'intent-of-another-process-believed',
    'any-held-record-is-mine',
    'deletion-not-seen',
    'delete-by-name',
    'take-overs-uncapped',
    'reaped-before-settled',
    'cache-believed-gone',
    'record-before-pod',
    'lost-answer-believed',
    'waits-without-end',
  ]),
  parts: fullScopes.length,
  async run({ scale, part, progress }) {
    const total = new Total();
    // The small scopes are too few to share.
    const parts = scale === 'full' ? fullScopes : [smallScopes];
    for (const scope of parts[part] ?? []) {
      const world = new CheckedWorld(scope, step, memoryAtStart);
      const explored = exhaust(world, mostStates[scale], (states, transitions) =>
        progress(total.with(states, transitions)),
      );
      total.add(explored);
      if (explored.trace !== null)
        return { outcome: 'refuted', counts: total.counts(), trace: explored.trace };
    }
    return { outcome: 'proved', counts: total.counts() };
  },
};

/** Counts of the scopes so far. */
class Total {
  readonly #start = performance.now();
  #states = 0;
  #transitions = 0;
  #situations = 0;
  #inputs = 0;
  #bytes = 0;

  add({ states, transitions, situations, inputs, bytes }: Explored): void {
    this.#states += states;
    this.#transitions += transitions;
    this.#situations += situations;
    this.#inputs += inputs;
    this.#bytes = Math.max(this.#bytes, bytes);
  }

  with(states: number, transitions: number): Counts {
    return { states: this.#states + states, transitions: this.#transitions + transitions };
  }

  counts(): Counts {
    const seconds = (performance.now() - this.#start) / 1000;
    return {
      states: this.#states,
      transitions: this.#transitions,
      'situations of fair runs': this.#situations,
      'inputs of claim-step': this.#inputs,
      'states a second': Math.round(this.#states / seconds),
      'MB of states': Math.round(this.#bytes / 1e6),
    };
  }
}
