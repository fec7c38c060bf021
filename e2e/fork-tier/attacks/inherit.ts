/** F6.inherit: live forks of a sandbox that holds secrets, by engine and by HTTP, and what their guests hold then. */
import { randomBytes } from 'node:crypto';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Sandbox } from '#reference/contract/fork-engine-port.ts';
import type { Forkd } from '#reference/forkd/forkd.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { plainWish } from '../fork-lab.ts';
import { overHttp, withForkd } from '../forkd-lab.ts';
import { wishOf } from './siblings.ts';
import { onReference } from './zoo.ts';

/** The gate's: guests of TCG on a busy machine are slow, and honest. */
const patientMs = 60_000;
const programMs = 60_000;
const [path, envVar] = ['/run/observed', 'OBSERVED'];
/** Prints both, one a line; nothing of the one that is not there. */
const look = ['/bin/sh', '-c', `cat ${path} 2>/dev/null; echo; echo "$${envVar}"`];

/** Where a sandbox holds the secret. */
async function placesOf(engine: Forkd, id: string, secret: string): Promise<string[]> {
  const chunks: Buffer[] = [];
  const program = { argv: look, timeout_ms: programMs, max_output_octets: 4_096 };
  const { ok, error } = await engine.exec(id, program, (_, octets) => void chunks.push(octets)).ended;
  if (!ok) throw new Error(`nobody can look into a sandbox: ${error ?? 'the program failed'}`);
  const [file = '', variable = ''] = Buffer.concat(chunks).toString().split('\n');
  return [...(file === secret ? [path] : []), ...(variable === secret ? [`$${envVar}`] : [])];
}

interface Attempt {
  readonly name: string;
  readonly fork: () => Promise<readonly Sandbox[]>;
}

/** Children that were made although nobody allowed it; null: refused. */
async function attempted({ fork }: Attempt): Promise<readonly Sandbox[] | null> {
  try {
    return await fork();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    // A client of the server has its code apart.
    const { code, told = code } = error as CodedError & { readonly told?: string };
    if (told === 'secrets-not-inherited') return null;
    throw error;
  }
}

async function run(stage: ForkStage): Promise<Seen> {
  return withForkd(stage.lab, wishOf(stage, plainWish), patientMs, ({ engine, template }) =>
    overHttp(engine, async (client) => {
      const secret = randomBytes(24).toString('hex');
      const secrets = [
        { name: 'a file', value: secret, path },
        { name: 'a variable', value: secret, envVar },
      ];
      const holder = await engine.fork({ template, network: null, secrets });
      const bare = await engine.fork({ template, network: null, secrets: [] });
      const effects: string[] = [];
      const steps: string[] = [];
      const tell = async (who: string, { id }: Sandbox, mayHold: boolean) => {
        const places = await placesOf(engine, id, secret);
        steps.push(`${who} holds the secret in: ${places.join(', ') || 'nothing'}`);
        if (!mayHold) effects.push(...places.map((place) => `${who} has the secret in ${place}`));
        return places.length;
      };
      const tryAll = async (who: string, { id }: Sandbox) => {
        const replicas = 1;
        const attempts: Attempt[] = [
          {
            name: 'the engine',
            fork: () => engine.forkSandbox(id, { replicas, allowSecretInheritance: false }),
          },
          { name: 'HTTP, with no word of secrets', fork: () => client.forkSandbox(id, { replicas }) },
        ];
        for (const attempt of attempts) {
          const children = await attempted(attempt);
          steps.push(`a live fork of ${who} by ${attempt.name}: ${children === null ? 'refused' : 'made'}`);
          for (const child of children ?? [])
            await tell(`a child of ${who} by ${attempt.name}`, child, false);
          if (children !== null) effects.push(`${who} was forked by ${attempt.name}`);
        }
      };
      const heldFirst = await tell('the sandbox that it was given to', holder, true);
      await tryAll('the sandbox that it was given to', holder);
      await tell('another fork of the template', bare, false);
      const free = await engine.forkSandbox(bare.id, { replicas: 1, allowSecretInheritance: false });
      for (const child of free) await tell('a child of one without secrets', child, false);
      // The path is open: it crosses where that was allowed.
      const [heir] = await engine.forkSandbox(holder.id, { replicas: 1, allowSecretInheritance: true });
      const inherited = heir === undefined ? 0 : await tell('a child that may inherit it', heir, true);
      if (heir !== undefined) await tryAll('the child that inherited', heir);
      const isOpen = heldFirst === secrets.length && inherited > 0;
      return {
        closed: isOpen ? null : 'the secret does not cross where that was allowed',
        ...{ effects, steps, judgedCases: steps.length, exhibits: [] },
      };
    }),
  );
}

export const inheritAttacks: readonly ForkAttack[] = [
  {
    id: 'inherit.live-fork',
    claim: 'F6.inherit',
    statement:
      'A sandbox that holds secrets, given or inherited, is not forked unless inheritance was allowed; no other fork of its template has them.',
    source: 'system.md: "`allowSecretInheritance` (default false: forking a secret holder is refused)"',
    control: 'a live fork that may inherit has the secret',
    expected: onReference,
    falsifiedBy: ['secrets-inherited-unasked', 'inheritance-forgotten'],
    template: 'inherit',
    run,
  },
];
