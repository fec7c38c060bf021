/**
 * F6.witness: what the agent answers is what the gate admits, from each sibling and once more from a fork of its
 * fork.
 */
import { type Finding, holds } from '../../finding.ts';
import { brokenBy, errorIn } from '../findings-of-answers.ts';
import { type Part, protocol } from '../part.ts';
import type { Stage } from '../stage.ts';
import { frozen, generationIn, type Judged, tellAndJudge } from '../told-fork.ts';

const clause = `findings.md F6 Reference: the proof and the sample; ${protocol}`;
const notify =
  '{"method":"notify_forked","version":1,"generation":G,"nonce":<32 octets>,"seed":<64 octets>,"host_wall_clock_nanos":T}';

export function findingOf({ heard, verdict, spokeOn }: Judged): Finding {
  const broken = brokenBy(heard);
  if (broken !== null) return broken;
  if (spokeOn > 0) {
    return {
      outcome: 'garbage',
      observed: `it speaks on behind its answer: ${spokeOn} octets that nobody asked for`,
    };
  }
  if (verdict.verdict === 'admit') return holds(verdict.rule);
  const error = verdict.rule === 'ok is not true' ? `; it says: ${errorIn(heard)}` : '';
  return { outcome: 'falsified', observed: `the gate refuses it: ${verdict.rule}${error}` };
}

async function runTold(stage: Stage): Promise<Finding> {
  const [first] = await stage.siblings();
  if (first === undefined) throw new Error('siblings are one at least');
  return findingOf(first.judged);
}

async function runSiblings(stage: Stage): Promise<Finding> {
  const [, ...others] = await stage.siblings();
  for (const { judged } of others) {
    const finding = findingOf(judged);
    if (finding.outcome !== 'holds') return finding;
  }
  if (others.length > 0) return holds(`${others.length} admitted`);
  const observed = stage.siblingFault?.message ?? 'there is one fork';
  const give = stage.siblingFault?.give ?? 'a second --agent; or --fork COMMAND';
  return { outcome: stage.siblingFault?.outcome ?? 'unsupported', observed, give };
}

/** A fork of the fork, as far as the agent can tell: frozen once more, and told anew. */
async function runAgain(stage: Stage): Promise<Finding> {
  const [first] = await stage.siblings();
  if (first === undefined) throw new Error('siblings are one at least');
  const { session } = first;
  if (session.isClosed || session.waiting > 0) await session.reopen();
  const ping = await session.ping();
  if (!(await frozen(session, ping))) {
    const give = 'an agent that answers prepare_snapshot after its release (live forks)';
    return { outcome: 'unsupported', observed: 'it cannot be frozen again', give };
  }
  const generation = stage.nextGeneration(Math.max(generationIn(ping), session.generation));
  const judged = await tellAndJudge(stage, session, generation);
  await session.release(generation);
  return findingOf(judged);
}

export const witnessParts: readonly Part[] = [
  {
    claim: 'F6.witness',
    id: 'answer/told',
    sends: 'notify_forked to a fork that was told nothing yet',
    never: 'its answer is one that the gate refuses',
    clause,
    shows: [notify],
    run: runTold,
  },
  {
    claim: 'F6.witness',
    id: 'answer/sibling',
    sends: 'notify_forked to each other sibling',
    never: 'its answer is one that the gate refuses after the first one’s',
    clause,
    shows: [notify],
    run: runSiblings,
  },
  {
    claim: 'F6.witness',
    id: 'answer/again',
    sends: 'prepare_snapshot and notify_forked to the first fork, after its release',
    never: 'what it answered before, or anything else that the gate refuses',
    clause,
    shows: ['{"method":"prepare_snapshot"}', notify],
    run: runAgain,
  },
];
