/** F6.fresh: the seeds that cross to forks, and who else hears of them. */
import pino from 'pino';
import type { Log } from '#reference/base/log.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { type LabFork, plainWish } from '../fork-lab.ts';
import { messageOf } from '../message-of.ts';
import { wishOf } from './siblings.ts';

const forks = 4;
const leastSeedDigits = 64;

/** All that is said at any level, as it would be written. */
function listening(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: pino({ level: 'debug' }, { write: (line) => void lines.push(line) }), lines };
}

const secretsOf = ({ crossings }: LabFork) =>
  crossings.flatMap(({ to, text }) =>
    to === 'host'
      ? []
      : [...text.matchAll(/"(seed|nonce)":"([0-9a-f]+)"/g)].map(([, name = '', hex = '']) => ({ name, hex })),
  );

async function run(stage: ForkStage): Promise<Seen> {
  const template = await stage.lab.template(wishOf(stage, plainWish));
  const { log, lines } = listening();
  const host = await stage.lab.host(stage.subject, { log });
  const seen: { readonly seed: string; readonly said: string }[] = [];
  for (let index = 0; index < forks; index++) {
    const fork = await stage.lab.fork(template);
    // The last one is refused, and what is said of it is heard too.
    if (index === forks - 1) await fork.guest.must({ lab: 'device is a file' });
    const { vm } = fork;
    const error = await host
      .activate({ vm, source: template.source, reap: () => vm.stop() })
      .then(() => '', messageOf);
    const answers = fork.crossings.filter(({ to }) => to === 'host').map(({ text }) => text);
    const seeds = secretsOf(fork).filter(({ name }) => name === 'seed');
    for (const { hex } of seeds)
      seen.push({ seed: hex, said: [...answers, vm.consoleTail(), error].join('\n') });
    await vm.stop();
  }
  const seeds = seen.map(({ seed }) => seed);
  const everything = [...lines, ...seen.map(({ said }) => said)].join('\n');
  const told = (seed: string) =>
    everything.includes(seed) || everything.includes(seed.slice(0, leastSeedDigits));
  return {
    closed: seeds.length === forks ? null : `${seeds.length} seeds were seen to cross to ${forks} forks`,
    effects: [
      ...(new Set(seeds).size === seeds.length ? [] : ['two forks were sent the same seed']),
      ...seeds.filter((seed) => seed.length < leastSeedDigits).map(() => 'a seed is shorter than 32 octets'),
      ...seeds.flatMap((seed, index) =>
        told(seed) ? [`the seed of fork ${index} is in a log, an answer, an error or a console`] : [],
      ),
    ],
    steps: [
      `${seeds.length} seeds of ${[...new Set(seeds.map(({ length }) => length / 2))].join(', ')} octets crossed, ${new Set(seeds).size} of them different`,
      `${everything.length} characters of logs, answers, errors and consoles were searched for them`,
    ],
    judgedCases: seeds.length,
    exhibits: [],
  };
}

export const freshAttacks: readonly ForkAttack[] = [
  {
    id: 'fresh.seeds',
    claim: 'F6.fresh',
    statement:
      'Every fork is sent a seed of its own, and no log, answer, error or console tells it, a refused fork’s included.',
    source: 'findings.md F6 Reference; system.md: "Entropy, secrets, tokens … are never logged"',
    control: 'the observer sees a seed cross to each fork',
    expected: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
    falsifiedBy: ['seed-in-log'],
    template: 'plain',
    run,
  },
];
