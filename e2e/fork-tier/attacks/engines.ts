/** F6.engines: the whole zoo, and honest guests by the dozen, before the gate in each engine. */
import { randomBytes } from 'node:crypto';
import { zooInTurn } from '#kvm-lab/guests/zoo.ts';
import { residualCells } from '#properties/claims/claim.ts';
import type { ForkRequest, Secret } from '#reference/contract/fork-engine-port.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { plainWish } from '../fork-lab.ts';
import { type ForkdLab, overHttp, withForkd } from '../forkd-lab.ts';
import { messageOf } from '../message-of.ts';
import { shareOf } from '../shares.ts';
import { type ForkOne, runZoo, type ZooFork } from '../zoo-run.ts';
import { wishOf } from './siblings.ts';
import { atOnce, liars, ofGuests, onReference, paceOf, zooControl, zooSeen, zooWish } from './zoo.ts';

/** As a husk activates: the gate itself, on a VMM of its own process. Who believes a boolean is shown by a few. */
async function runGate(stage: ForkStage): Promise<Seen> {
  const guests = stage.subject === 'reference' ? zooInTurn : liars;
  return zooSeen(await ofGuests(stage, { wish: zooWish, guests }));
}

type Fork = (request: Pick<ForkRequest, 'template'> & { secrets: Secret[] }) => Promise<unknown>;
type Engine = <T>(forkd: ForkdLab, use: (fork: Fork) => Promise<T>) => Promise<T>;

const rawForkd: Engine = ({ engine }, use) => use((request) => engine.fork({ ...request, network: null }));

const sandboxServer: Engine = ({ engine }, use) =>
  overHttp(engine, (client) => use((request) => client.fork(request)));

/** Who misuses the engine itself is seen by the first guests that say nothing at all. */
const shortZoo = 8;

/** What crossed of a secret that each fork was to have: after the release of an admitted one, and else never. */
function secretFaults(
  forks: readonly ZooFork[],
  secret: string,
): { readonly faults: string[]; readonly given: number } {
  const inBase64 = Buffer.from(secret).toString('base64');
  const faults: string[] = [];
  let given = 0;
  for (const [index, { crossings }] of forks.entries()) {
    const at = crossings.findIndex(({ text }) => text.includes(secret) || text.includes(inBase64));
    if (at === -1) continue;
    given += 1;
    const asked = crossings.findIndex(
      ({ to, text }) => to === 'guest' && text.includes('"method":"release"'),
    );
    const released = crossings.findIndex(
      ({ to, channel, text }, place) =>
        place > asked && asked !== -1 && to === 'host' && channel === 'control' && text.includes('"ok":true'),
    );
    if (released === -1 || at < released)
      faults.push(`a secret crossed to fork ${index} before it was released`);
  }
  return { faults, given };
}

async function runEngine(stage: ForkStage, engine: Engine): Promise<Seen> {
  const { lab } = stage;
  const deadlineMs = await paceOf(stage, await lab.template(zooWish));
  return withForkd(lab, zooWish, deadlineMs, async (forkd) => {
    const { template, forks } = forkd;
    const secret = randomBytes(24).toString('hex');
    const secrets = [{ name: 'observed', value: secret, path: '/run/observed' }];
    const ends = await engine(forkd, (fork) => {
      // One after the other up to the resume, so that each is known by its place.
      const forkOne: ForkOne = async (index) => {
        const admitted = fork({ template, secrets });
        await Promise.race([admitted.catch(() => undefined), forks.next(index)]);
        return { fork: () => forks[index] ?? null, admitted };
      };
      return runZoo(stage.isMutant ? shortZoo : zooInTurn.length, atOnce, forkOne);
    });
    for (const { id } of forkd.engine.sandboxes()) await forkd.engine.terminate(id);
    const { faults, given } = secretFaults(forks, secret);
    const seen = zooSeen(ends, faults);
    return {
      ...seen,
      closed: seen.closed ?? (given > 0 ? null : 'the secret reached no fork, admitted ones included'),
      steps: [
        `the secret of each fork crossed to ${given} of ${forks.length}, each released before`,
        ...seen.steps,
      ],
    };
  });
}

/** All of them admitted, and no two alike. */
async function runHonest(stage: ForkStage, count: number): Promise<Seen> {
  const template = await stage.lab.template(wishOf(stage, plainWish));
  const host = await stage.lab.host(stage.subject);
  const refused: string[] = [];
  const drawn: string[][] = [];
  for (let index = 0; index < count; index++) {
    const { vm, guest } = await stage.lab.fork(template);
    try {
      await host.activate({ vm, source: template.source, reap: () => vm.stop() });
      const { getrandom, randomBytes: bytes } = await guest.draw(1);
      drawn.push([...getrandom, ...bytes]);
    } catch (error) {
      refused.push(`fork ${index}: ${messageOf(error)}`);
    } finally {
      await vm.stop();
    }
  }
  const share = shareOf(drawn);
  return {
    closed: drawn.length > 0 ? null : `no fork was admitted: ${refused[0]}`,
    effects: [...refused, ...(share > 0 ? [`${share} of what admitted forks draw is the same`] : [])],
    steps: [
      `${drawn.length} of ${count} honest forks were admitted, and drew ${drawn.flat().length} different values`,
    ],
    judgedCases: count,
    exhibits: [],
  };
}

const oneGate =
  'findings.md F6 Reference: "One gate, shared by the husk, raw-forkd and sandbox-server engines"';
const common = { claim: 'F6.engines', source: oneGate } as const;

const honest = (id: string, count: number, more: Partial<ForkAttack> = {}): ForkAttack => ({
  id: `engines.${id}`,
  ...common,
  statement: `All of ${count} honest forks of one snapshot are admitted, and no two draw the same.`,
  control: 'forks are admitted at all',
  expected: onReference,
  template: 'plain',
  run: (stage) => runHonest(stage, count),
  ...more,
});

export const engineAttacks: readonly ForkAttack[] = [
  {
    id: 'engines.gate',
    ...common,
    statement: 'The whole zoo is refused and reaped by the gate as a husk drives it.',
    control: zooControl,
    expected: residualCells,
    template: 'zoo',
    run: runGate,
  },
  {
    id: 'engines.raw-forkd',
    ...common,
    statement:
      'The whole zoo is refused and reaped by raw-forkd; no secret crosses before a release; its journal is empty then.',
    control: `${zooControl}, and has its secret`,
    expected: onReference,
    template: 'zoo-forkd',
    falsifiedBy: ['engine-forgets-refused'],
    run: (stage) => runEngine(stage, rawForkd),
  },
  {
    id: 'engines.sandbox-server',
    ...common,
    statement:
      'The whole zoo is refused and reaped by the sandbox server, over HTTP; no secret crosses before a release.',
    control: `${zooControl}, and has its secret`,
    expected: onReference,
    template: 'zoo-forkd',
    falsifiedBy: ['refusal-answered-as-made'],
    run: (stage) => runEngine(stage, sandboxServer),
  },
  honest('honest', 12),
  honest('honest-200', 200, { isLong: true }),
];
