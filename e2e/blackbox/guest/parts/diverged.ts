/** F6.diverged, F6.reported and F6.userspace: siblings of one snapshot, and whether they ever draw the same. */
import { type Finding, holds } from '../../finding.ts';
import { isGranted, objectIn } from '../agent-session.ts';
import { type Missing, type Part, protocol } from '../part.ts';
import { isReading, type Reading } from '../reading.ts';
import type { Settings } from '../settings.ts';
import { sharedRun } from '../shared-octets.ts';
import type { Stage } from '../stage.ts';
import type { ToldFork } from '../told-fork.ts';

const source = 'findings.md F6: credited is not diverged; facts.md, the kernel’s generator after a fork';
const fewer = {
  reason: 'one fork has no sibling to share anything with',
  give: 'a second --agent, of another fork of the same snapshot; or --fork COMMAND',
};

export function sharedBy(readings: readonly Reading[]) {
  const read = readings.filter(isReading);
  for (const [index, one] of read.entries()) {
    for (const other of read.slice(index + 1)) {
      const shared = sharedRun(one, other);
      if (shared !== null) return shared;
    }
  }
  return null;
}

const shownOctets = 8;
const beginningOf = ([first]: readonly Buffer[]) => first?.toString('hex', 0, shownOctets) ?? '';

/** @param untold of two forks that nobody told anything: the control that shows whether the window was open */
export function compare(readings: readonly Reading[], untold: readonly Reading[] | null): Finding {
  const shared = sharedBy(readings);
  if (shared !== null) {
    const [one, other] = shared.places;
    const observed = `${shared.octets.length} random octets are the same: ${one}; ${other}`;
    return { outcome: 'falsified', observed, hex: shared.octets.toString('hex') };
  }
  const unread = readings.find((reading) => !isReading(reading));
  if (unread !== undefined && !isReading(unread)) {
    return { outcome: 'not-run', observed: unread.reason, give: unread.give };
  }
  if (readings.length < 2) return { outcome: 'unsupported', observed: fewer.reason, give: fewer.give };
  const octets = Math.min(
    ...readings.filter(isReading).flatMap(({ reads }) => reads.map((one) => one.length)),
  );
  const begin = readings.filter(isReading).map(({ fork, reads }) => `fork ${fork} ${beginningOf(reads)}…`);
  const apart = `nothing is in two of ${readings.length} forks, ${octets} octets and more a read: ${begin.join(', ')}`;
  if (untold === null || untold.length < 2 || !untold.every(isReading)) return holds(apart);
  if (sharedBy(untold) !== null) return holds(`${apart}; two forks that nobody told anything do share`);
  return {
    outcome: 'not-run',
    observed: 'two forks that nobody told anything do not share either: this shows nothing of the agent',
    give: 'a snapshot of a generator that was reseeded and read just before; a platform that reseeds forks by itself is checked without --agent',
  };
}

function enough(stage: Stage, told: readonly ToldFork[]): Finding | null {
  if (told.length >= 2) return null;
  const fault = stage.siblingFault;
  if (fault !== null) return { outcome: 'not-run', observed: fault.message, give: fault.give };
  return { outcome: 'unsupported', observed: fewer.reason, give: fewer.give };
}

async function runSamples(stage: Stage): Promise<Finding> {
  const told = await stage.siblings();
  const few = enough(stage, told);
  if (few !== null) return few;
  const seen = new Map<string, number>();
  for (const { fork, judged } of told) {
    const { sample } = judged;
    const before = sample === null ? undefined : seen.get(sample);
    if (sample !== null && before !== undefined) {
      const observed = `forks ${before} and ${fork.n} were given different seeds, and show the same sample`;
      return { outcome: 'falsified', observed, hex: sample };
    }
    if (sample !== null) seen.set(sample, fork.n);
  }
  if (seen.size === told.length) return holds(`${told.length} samples, each another`);
  return { outcome: 'not-run', observed: 'a fork shows no sample', give: 'see F6.witness answer/told' };
}

async function runExec(stage: Stage): Promise<Finding> {
  const told = await stage.siblings();
  return (
    enough(stage, told) ??
    compare(
      told.map(({ executed }) => executed),
      null,
    )
  );
}

const runRead =
  (command: string, hasAgent: boolean) =>
  async (stage: Stage): Promise<Finding> => {
    if (!hasAgent) return compare((await stage.plainReadings()).get(command) ?? [], null);
    const told = await stage.siblings();
    const few = enough(stage, told);
    if (few !== null) return few;
    const untold = (await stage.untoldReadings()).get(command) ?? null;
    return compare(
      told.map(({ readings }) => readings.get(command)).filter((one) => one !== undefined),
      untold,
    );
  };

/** Each reports success, and they share. */
async function runReported(stage: Stage): Promise<Finding> {
  const told = await stage.siblings();
  const few = enough(stage, told);
  if (few !== null) return few;
  const reporting = told.filter(
    ({ judged: { heard } }) => isGranted(heard) && objectIn(heard)?.reseeded_rng === true,
  );
  if (reporting.length < 2) return holds(`${reporting.length} of ${told.length} report success`);
  const readers: ((fork: ToldFork) => Reading | undefined)[] = [
    ({ executed }) => executed,
    ...stage.settings.read.map(
      (command) =>
        ({ readings }: ToldFork) =>
          readings.get(command),
    ),
  ];
  const unread: Reading[] = [];
  let judged = 0;
  for (const reader of readers) {
    const readings = reporting.map(reader).filter((one) => one !== undefined);
    const shared = sharedBy(readings);
    if (shared !== null) {
      const observed = `both report that they reseeded, and draw the same ${shared.octets.length} octets`;
      return { outcome: 'falsified', observed, hex: shared.octets.toString('hex') };
    }
    if (readings.every(isReading)) judged += 1;
    else unread.push(...readings.filter((one) => !isReading(one)));
  }
  if (judged > 0) return holds(`${reporting.length} report success, and draw apart`);
  const [why] = unread;
  if (why === undefined || isReading(why)) throw new Error('a reading that is none has a reason');
  return { outcome: 'not-run', observed: why.reason, give: why.give };
}

const never = 'two forks of one snapshot draw the same octets';
const noRead = 'nobody but the agent says what a fork draws';

export function divergedParts(settings: Settings): (Part | Missing)[] {
  const { agents, services, read, readProcess, exec } = settings;
  const hasAgent = agents.length > 0;
  const told = { claim: 'F6.diverged', clause: source } as const;
  const parts: (Part | Missing)[] = [];
  if (hasAgent) {
    parts.push({
      ...told,
      id: 'siblings/sample',
      sends: 'notify_forked with a seed of its own to each sibling',
      never: 'two siblings show the same sample',
      shows: ['{"method":"notify_forked","version":1,"generation":G,"nonce":N,"seed":S,…} to each sibling'],
      run: runSamples,
    });
  }
  if (services.length > 0) {
    parts.push({
      ...told,
      id: 'siblings/exec',
      sends: `exec of ${exec.join(' ')} in each sibling, twice, after the release`,
      never,
      shows: [JSON.stringify({ id: 1, method: 'exec', argv: exec })],
      run: runExec,
    });
  }
  parts.push(
    ...read.map((command, index) => readPart('F6.diverged', 'siblings/read', command, index, hasAgent)),
  );
  if (read.length === 0 && services.length === 0) {
    const give =
      '--read COMMAND that prints random octets of fork {n}, or --services ENDPOINT for each agent';
    parts.push({ claim: 'F6.diverged', id: 'siblings/read', never, reason: noRead, give });
  }
  parts.push(reportedPart(settings));
  parts.push(
    ...readProcess.map((command, index) =>
      readPart('F6.userspace', 'siblings/read-process', command, index, hasAgent),
    ),
  );
  if (readProcess.length === 0) {
    const reason = 'nobody said how a process is read that was alive at the snapshot';
    const give = '--read-process COMMAND: octets that such a process of fork {n} draws';
    parts.push({ claim: 'F6.userspace', id: 'siblings/read-process', never, reason, give });
  }
  return parts;
}

function readPart(
  claim: 'F6.diverged' | 'F6.userspace',
  name: string,
  command: string,
  index: number,
  hasAgent: boolean,
): Part {
  return {
    claim,
    id: index === 0 ? name : `${name}-${index + 1}`,
    sends: `${command}, in each sibling${hasAgent ? ' after the release' : ''}`,
    never,
    clause: source,
    shows: [`$ ${command}`],
    run: runRead(command, hasAgent),
  };
}

function reportedPart({ agents, services, read }: Settings): Part | Missing {
  const head = {
    claim: 'F6.reported',
    id: 'siblings/reported',
    never: 'an agent reports success while its fork draws what a sibling draws',
  } as const;
  if (agents.length === 0) {
    return { ...head, reason: 'no agent was named', give: '--agent ENDPOINT for each fork' };
  }
  if (services.length === 0 && read.length === 0) {
    return { ...head, reason: noRead, give: '--read COMMAND, or --services ENDPOINT for each agent' };
  }
  return {
    ...head,
    sends: 'notify_forked, and what the siblings draw after it',
    clause: `${source}; ${protocol}`,
    shows: [],
    run: runReported,
  };
}
