/** F6.single-use: a generation, a seed or a nonce that was used, or is too short, is refused. Each takes a fork. */
import { randomBytes } from 'node:crypto';
import { minSeedOctets, nonceOctets } from '#reference/contract/reseed.ts';
import type { Finding } from '../../finding.ts';
import { type AgentSession, isGranted, type Notify, reseedOf } from '../agent-session.ts';
import { brokenBy, errorIn, mustRefuse } from '../findings-of-answers.ts';
import { type Part, protocol } from '../part.ts';
import type { Stage } from '../stage.ts';
import { frozen, generationIn } from '../told-fork.ts';
import { attackedBy } from './order.ts';

const clause = `findings.md F6 Reference: a fresh single-use seed, a nonce and a generation that is unique; ${protocol}`;

/** @param next a generation that was never told */
type Attack = (session: AgentSession, next: number) => Notify;

interface Row {
  readonly id: string;
  readonly sends: string;
  readonly attack: Attack;
  /** It has to have been told of a fork before. */
  readonly isAfterTold: boolean;
}

const hexOf = (octets: number) => randomBytes(octets).toString('hex');

const rows: readonly Row[] = [
  {
    id: 'seed/used',
    sends: 'the seed that it was told before, under a later generation',
    attack: ({ seed }, next) => ({ ...reseedOf(next), seed }),
    isAfterTold: true,
  },
  {
    id: 'generation/same',
    sends: 'the generation that it was told before',
    attack: ({ generation }) => reseedOf(generation),
    isAfterTold: true,
  },
  {
    id: 'generation/lower',
    sends: 'the generation below the one that it was told before',
    attack: ({ generation }) => reseedOf(generation - 1),
    isAfterTold: true,
  },
  {
    id: 'seed/short',
    sends: `a seed of ${minSeedOctets - 1} octets`,
    attack: (_, next) => ({ ...reseedOf(next), seed: hexOf(minSeedOctets - 1) }),
    isAfterTold: false,
  },
  {
    id: 'seed/not-hex',
    sends: 'a seed with a digit that is none',
    attack: (_, next) => ({ ...reseedOf(next), seed: `${hexOf(minSeedOctets)}zz` }),
    isAfterTold: false,
  },
  {
    id: 'nonce/short',
    sends: `a nonce of ${nonceOctets - 1} octets`,
    attack: (_, next) => ({ ...reseedOf(next), nonce: hexOf(nonceOctets - 1) }),
    isAfterTold: false,
  },
  {
    id: 'generation/zero',
    sends: 'generation 0',
    attack: () => reseedOf(0),
    isAfterTold: false,
  },
  {
    id: 'generation/fraction',
    sends: 'a generation that is no integer',
    attack: (_, next) => reseedOf(next + 0.5),
    isAfterTold: false,
  },
  {
    id: 'generation/beyond',
    sends: 'generation 2^53',
    attack: () => reseedOf(2 ** 53),
    isAfterTold: false,
  },
];

/** Why it is not; null: it was told of a fork, released and frozen again, as far as it can be. */
async function toldBefore(stage: Stage, session: AgentSession): Promise<Finding | null> {
  if (session.generation === 0) {
    const generation = stage.nextGeneration(generationIn(await session.ping()));
    const heard = await session.notify(reseedOf(generation));
    const released = isGranted(heard) ? await session.release(generation) : heard;
    if (!isGranted(released)) {
      const why = brokenBy(released)?.observed ?? `refused: ${errorIn(released)}`;
      const observed = `a fork cannot be told before it is attacked: ${why}`;
      return { outcome: 'not-run', observed, give: 'see F6.witness answer/told' };
    }
  }
  // One that cannot be frozen again has to refuse all the same.
  await frozen(session, await session.ping());
  return null;
}

async function attackOne(stage: Stage, { attack, isAfterTold }: Row): Promise<Finding> {
  // All siblings are told, and the order is attacked, before any fork is spent.
  await stage.attacked();
  const session = await stage.subject();
  if (session === null) {
    return {
      outcome: 'not-run',
      observed: 'there is no fork left to attack: an agent that refuses one is spent',
      give: '--fork COMMAND, further agents (--agent unix:/path/{n} --forks 16), or --part for this one alone',
    };
  }
  const untold = isAfterTold ? await toldBefore(stage, session) : null;
  if (untold !== null) return untold;
  const seen = Math.max(session.generation, generationIn(await session.ping()));
  const message = attack(session, stage.nextGeneration(seen));
  const finding = mustRefuse(await session.notify(message), 'it reports that it reseeded');
  stage.outlived(session);
  return finding;
}

export const singleUseParts: readonly Part[] = [
  {
    claim: 'F6.single-use',
    id: 'request/second',
    sends: 'a second notify_forked between answer and release',
    never: 'it is done: one frozen image, one answer',
    clause,
    shows: ['{"method":"notify_forked","version":1,"generation":G+1,…}'],
    run: attackedBy('request/second', 'it reseeded once more, and nobody judges that answer'),
  },
  ...rows.map(
    (row): Part => ({
      claim: 'F6.single-use',
      id: row.id,
      sends: row.sends,
      never: 'the agent reports success',
      clause,
      shows: [`{"method":"notify_forked",…} with ${row.sends}`],
      run: (stage) => attackOne(stage, row),
    }),
  ),
];
