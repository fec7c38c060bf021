/**
 * F6.fresh and F6.credited: seeds that were sent are nowhere to be read; who cannot credit does not say that it
 * did.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type Finding, holds } from '../../finding.ts';
import { isGranted, objectIn, reseedOf } from '../agent-session.ts';
import { ofFork } from '../endpoint.ts';
import { brokenBy, errorIn } from '../findings-of-answers.ts';
import { type Missing, type Part, protocol } from '../part.ts';
import type { Settings } from '../settings.ts';
import type { Stage } from '../stage.ts';
import { frozen, generationIn } from '../told-fork.ts';
import { Unreachable } from '../unreachable.ts';

const clause = 'system.md: entropy is never logged, on either side';
const maxLogOctets = 64 << 20;
const pieceDigits = 32;

/** Which of the seeds shows in the text, or null: in hex any 16 octets of it, else the whole. */
export function seedIn(octets: Buffer, seeds: readonly string[]): string | null {
  const text = octets.toString('latin1');
  const lower = text.toLowerCase();
  for (const seed of seeds) {
    for (let at = 0; at + pieceDigits <= seed.length; at += pieceDigits) {
      if (lower.includes(seed.slice(at, at + pieceDigits))) return 'in hex';
    }
    const raw = Buffer.from(seed, 'hex');
    if (raw.length < pieceDigits / 2) continue;
    if (text.includes(raw.toString('base64').slice(0, -4))) return 'in base64';
    if (octets.includes(raw)) return 'as it is';
  }
  return null;
}

async function runReplies(stage: Stage): Promise<Finding> {
  await stage.siblings();
  const { heard, seeds } = stage;
  if (heard.length === 0 || seeds.length === 0) {
    return { outcome: 'not-run', observed: 'nothing was told, or nothing answered', give: 'see F6.witness' };
  }
  const how = seedIn(Buffer.concat(heard), seeds);
  return how === null
    ? holds(`${seeds.length} seeds, none of them in what came back`)
    : { outcome: 'falsified', observed: `a seed comes back ${how}` };
}

/** The end of it. @throws Unreachable */
function logOf(path: string): Buffer {
  try {
    const fd = openSync(path, 'r');
    try {
      const { size } = fstatSync(fd);
      const octets = Buffer.alloc(Math.min(size, maxLogOctets));
      readSync(fd, octets, 0, octets.length, size - octets.length);
      return octets;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Unreachable(`${path} cannot be read: ${code}`, 'name a file that is there with --log');
  }
}

const runLog =
  (pattern: string) =>
  async (stage: Stage): Promise<Finding> => {
    await stage.siblings();
    const count = pattern.includes('{n}') ? stage.forks.taken : 1;
    for (let n = 1; n <= count; n++) {
      const path = ofFork(pattern, n);
      const log = logOf(path);
      if (log.length === 0) {
        return {
          outcome: 'not-run',
          observed: `${path} is empty: it shows nothing`,
          give: '--log of a console or log that something is written to',
        };
      }
      const how = seedIn(log, stage.seeds);
      if (how !== null) return { outcome: 'falsified', observed: `a seed is in ${path} ${how}` };
    }
    return holds(`${stage.seeds.length} seeds, none of them in the log`);
  };

export function freshParts({ logs }: Settings): (Part | Missing)[] {
  const never = 'a seed is written where others read it';
  const replies: Part = {
    ...{ claim: 'F6.fresh', id: 'reply/seed', sends: 'every seed of the run', clause, shows: [] },
    never: 'a seed comes back in an answer',
    run: runReplies,
  };
  if (logs.length === 0) {
    const reason = 'nobody said where the guest logs';
    const give = '--log FILE: its console, or the log of its agent';
    return [replies, { claim: 'F6.fresh', id: 'log/seed', never, reason, give }];
  }
  const ofLog = (path: string, index: number): Part => ({
    claim: 'F6.fresh',
    id: index === 0 ? 'log/seed' : `log/seed-${index + 1}`,
    sends: `every seed of the run, looked for in ${path}`,
    ...{ never, clause, shows: [] },
    run: runLog(path),
  });
  return [replies, ...logs.map(ofLog)];
}

async function runUnprivileged(stage: Stage, text: string): Promise<Finding> {
  const session = await stage.unprivileged(text);
  const ping = await session.ping();
  const broken = brokenBy(ping);
  if (broken !== null)
    throw new Unreachable(`it answers no ping: ${broken.observed}`, 'see that its agent runs');
  await frozen(session, ping);
  const heard = await session.notify(reseedOf(stage.nextGeneration(generationIn(ping))));
  if (isGranted(heard) || objectIn(heard)?.reseeded_rng === true) {
    return { outcome: 'falsified', observed: 'it reports success, and cannot have credited the seed' };
  }
  return brokenBy(heard) ?? holds(`it says so: ${errorIn(heard)}`);
}

export function creditedParts({ unprivileged }: Settings): (Part | Missing)[] {
  const head = {
    claim: 'F6.credited',
    id: 'unprivileged/told',
    never: 'it reports success',
  } as const;
  if (unprivileged === null) {
    const reason = 'nobody said where an agent is that cannot credit a seed';
    const give =
      '--agent-unprivileged ENDPOINT: an agent without CAP_SYS_ADMIN, or whose random device is a regular file';
    return [{ ...head, reason, give }];
  }
  return [
    {
      ...head,
      sends: `notify_forked to ${unprivileged}, which cannot credit the seed`,
      clause: `random(4), RNDADDENTROPY; ${protocol}`,
      shows: ['{"method":"notify_forked",…}'],
      run: (stage) => runUnprivileged(stage, unprivileged),
    },
  ];
}
