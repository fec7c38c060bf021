/**
 * One-line mistakes of host and engines around the gate that only forks of a real VM show. Attacks name them (`falsifiedBy` in
 * e2e/fork-tier); at tier decision nothing would notice.
 */
import type { Mutant } from './mutant.ts';

const activation = 'reference/fork-engine/activation.ts';
const sandboxes = 'reference/forkd/sandboxes.ts';

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
  {
    id: 'engine-forgets-refused',
    mistake: 'the engine crosses a fork that was refused out of its journal, and its VM runs on',
    file: 'reference/forkd/forked-vms.ts',
    find: 'ending ??= vm',
    replace: 'ending ??= { stop: async () => undefined }',
    killedBy: 'F6.engines',
    tier: 'vm',
  },
  {
    id: 'refusal-answered-as-made',
    mistake: 'the sandbox server answers a fork that the gate refused as if it were there',
    file: 'reference/sandbox-server/error-answer.ts',
    find: "'fork-refused': 503,",
    replace: "'fork-refused': 201,",
    killedBy: 'F6.engines',
    tier: 'vm',
  },
  {
    id: 'secrets-inherited-unasked',
    mistake: 'a sandbox that holds secrets is forked, whoever asks',
    file: sandboxes,
    find: 'if (source.secrets.length > 0 && !allowSecretInheritance) {',
    replace: 'if (source.secrets.length > 0 && allowSecretInheritance === undefined) {',
    killedBy: 'F6.inherit',
    tier: 'vm',
  },
  {
    id: 'inheritance-forgotten',
    mistake: 'of a child that inherited secrets it is forgotten that it holds some',
    file: sandboxes,
    find: 'const origin: Origin = { template, secrets, parent: id, snapshot: source.snapshot };',
    replace:
      'const origin: Origin = { template, secrets: secrets.slice(secrets.length), parent: id, snapshot: source.snapshot };',
    killedBy: 'F6.inherit',
    tier: 'vm',
  },
];
