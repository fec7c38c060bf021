/**
 * One-line mistakes of the host around the gate that only forks of a real VM show. Attacks name them (`falsifiedBy` in
 * e2e/fork-tier); at tier decision nothing would notice.
 */
import type { Mutant } from './mutant.ts';

const activation = 'reference/fork-engine/activation.ts';

export const mutants: readonly Mutant[] = [
  {
    id: 'seed-in-log',
    mistake: 'what is sent to a fork is logged, the seed with it',
    file: activation,
    find: "      case 'notify-forked':",
    replace: "      case 'notify-forked': this.#log.debug({ message: action.message }, 'notify');",
    killedBy: 'F6.fresh',
    tier: 'vm',
  },
  {
    id: 'refused-runs-on',
    mistake: 'a fork that is refused is forgotten, and its VM runs on',
    file: activation,
    find: '      await fork.reap();',
    replace: '      void fork.reap;',
    killedBy: 'F6.reaped',
    tier: 'vm',
  },
];
