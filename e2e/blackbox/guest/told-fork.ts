/**
 * The stories of a fork. A sibling is told that it was forked, judged by the gate, released and read at once, since a
 * generator that nobody reseeds does it by itself after a while. Another fork is asked what an agent must refuse, where
 * the order of the protocol makes it wrong.
 * Invariant: what is asked is the same for each sibling, in the same order, so that what differs is theirs.
 */
import { reseedVersions } from '#reference/contract/reseed.ts';
import { type GateVerdict, type Insertion, judgeReseed } from '#reference/decisions/reseed-gate.ts';
import { type AgentSession, type Ground, isGranted, objectIn, reseedOf } from './agent-session.ts';
import { brokenBy } from './findings-of-answers.ts';
import type { Fork, Forks } from './forks.ts';
import type { Heard } from './line-channel.ts';
import { controlled, type Reader, type Reading } from './reading.ts';
import { type Executed, ServiceSession } from './service-session.ts';
import type { Settings } from './settings.ts';
import { octetsOf } from './shared-octets.ts';
import { Unreachable } from './unreachable.ts';

/** What the stories are told with: of a run, shared by its forks. */
export interface Telling {
  readonly settings: Settings;
  readonly ground: Ground;
  readonly forks: Pick<Forks, 'agentOf'>;
  readonly reader: Pick<Reader, 'read'>;
  /** Of --read and --read-process that a chosen part asks for. */
  readonly commands: readonly string[];
  /** By a part's id. */
  isChosen(id: string): boolean;
  /** Unique, and above what the fork has seen. */
  nextGeneration(seen: number): number;
  /** All or none, as the port of a host. */
  insert(keys: readonly string[]): Insertion;
  /** It is closed with the run. */
  opened(what: { close(): void }): void;
}

export interface Judged {
  readonly generation: number;
  readonly heard: Heard;
  readonly verdict: GateVerdict;
  /** null: the answer holds none. */
  readonly sample: string | null;
  /** Octets that came behind the answer, unasked. */
  readonly spokeOn: number;
}

export interface ToldFork {
  readonly fork: Fork;
  readonly session: AgentSession;
  readonly judged: Judged;
  readonly released: Heard;
  /** By exec, after the release. */
  readonly executed: Reading;
  /** By each command of --read and --read-process. */
  readonly readings: ReadonlyMap<string, Reading>;
}

const quietMs = 100;
/** Of no effect, should it run. */
const harmless = ['true'];

export const generationIn = (ping: Heard): number => {
  const generation = objectIn(ping)?.generation;
  return Number.isSafeInteger(generation) ? (generation as number) : 0;
};

/** Frozen, as a fork of a snapshot is; one that is has nothing to do. */
export async function frozen(session: AgentSession, ping: Heard): Promise<boolean> {
  return objectIn(ping)?.phase === 'frozen' || isGranted(await session.freeze());
}

/** As the gate of a host does, with a store of this run. */
export async function tellAndJudge(
  stage: Telling,
  session: AgentSession,
  generation: number,
): Promise<Judged> {
  const reseed = reseedOf(generation);
  const heard = await session.notify(reseed);
  const response = heard.fate === 'line' ? heard.line : null;
  const { timeoutMs } = stage.settings;
  const request = { snapshot: 'of this run', generation, nonce: reseed.nonce };
  const judge = (insertion: Insertion | null) =>
    judgeReseed(
      { deadlineMs: timeoutMs, requireWitness: false },
      { request, response, elapsedMs: heard.ms, witness: null, insertion },
    );
  const first = judge(null);
  const verdict = first.verdict === 'insert' ? judge(stage.insert(first.insert.keys)) : first;
  const sample = objectIn(heard)?.sample;
  await new Promise((resolve) => setTimeout(resolve, quietMs));
  return {
    ...{ generation, heard, verdict, spokeOn: session.waiting },
    sample: typeof sample === 'string' ? sample : null,
  };
}

/** @throws Unreachable */
export async function tellFork(stage: Telling, fork: Fork): Promise<ToldFork> {
  const session = await stage.forks.agentOf(fork);
  stage.opened(session);
  const ping = await session.ping();
  checkPing(fork.n, ping);
  if (ping.fate === 'line') await frozen(session, ping);
  const judged = await tellAndJudge(stage, session, stage.nextGeneration(generationIn(ping)));
  const released = await session.release(judged.generation);
  const executed = await executedIn(stage, fork);
  const readings = new Map<string, Reading>();
  for (const command of stage.commands) readings.set(command, await stage.reader.read(command, fork.n));
  return { fork, session, judged, released, executed, readings };
}

export interface AttackedFork {
  readonly session: AgentSession;
  readonly judged: Judged;
  /** By the part's id; those of the part that nobody asked for are not there. */
  readonly answers: ReadonlyMap<string, Heard | Executed>;
}

/** @param session frozen. @throws Unreachable */
export async function attackFork(
  stage: Telling,
  { services: endpoint }: Fork,
  session: AgentSession,
): Promise<AttackedFork> {
  const services = endpoint === null ? null : await ServiceSession.open(endpoint, stage.ground);
  const answers = new Map<string, Heard | Executed>();
  const attack = async (id: string, act: () => Promise<Heard | Executed>) => {
    if (stage.isChosen(id)) answers.set(id, await act());
  };
  const init = { method: 'init', argv: harmless, timeout_ms: stage.settings.timeoutMs };
  const seen = Math.max(session.generation, generationIn(await session.ping()));
  const generation = stage.nextGeneration(seen);
  try {
    await attack('release/before-told', () => session.release(generation));
    await attack('init/before-told', () => session.ask(init));
    if (services !== null) await attack('exec/before-told', () => services.exec(harmless));
    const judged = await tellAndJudge(stage, session, generation);
    if (brokenBy(judged.heard) === null && judged.spokeOn === 0) {
      await attack('release/other-generation', () => session.release(generation + 1));
      await attack('init/before-release', () => session.ask(init));
      await attack('request/second', () => session.notify(reseedOf(generation + 1)));
      if (services !== null) await attack('exec/before-release', () => services.exec(harmless));
    }
    await session.release(generation);
    return { session, judged, answers };
  } finally {
    services?.close();
  }
}

const noServices: Reading = {
  reason: 'nobody but the agent says what its fork draws',
  give: '--services ENDPOINT for each agent, or --read COMMAND',
};

/** Twice. */
async function executedIn(stage: Telling, { n, services: endpoint }: Fork): Promise<Reading> {
  if (endpoint === null) return noServices;
  let services: ServiceSession | null = null;
  try {
    services = await ServiceSession.open(endpoint, stage.ground);
    return await readBy(stage, n, services);
  } catch (error) {
    // What it was told has ended it: that is judged, and this is not.
    if (!(error instanceof Unreachable)) throw error;
    return { reason: `fork ${n}: ${error.message}`, give: error.give };
  } finally {
    services?.close();
  }
}

async function readBy(stage: Telling, n: number, services: ServiceSession): Promise<Reading> {
  const reads: Buffer[] = [];
  const argv = stage.settings.exec;
  for (let times = 0; times < 2; times++) {
    const { isServed, exitCode, stdout, heard } = await services.exec(argv);
    if (!isServed || exitCode !== 0) {
      const how = brokenBy(heard)?.observed ?? `exit code ${exitCode ?? 'none'}`;
      const reason = `fork ${n}: exec of ${argv.join(' ')} after the release: ${isServed ? how : 'not served'}`;
      return { reason, give: '--exec COMMAND that prints random octets in the guest, or --read COMMAND' };
    }
    reads.push(octetsOf(stdout));
  }
  return controlled({ fork: n, reads }, stage.settings.octets);
}

/** Whose ping is broken is no agent, and of another version nothing can be judged. @throws Unreachable */
function checkPing(n: number, ping: Heard): void {
  const broken = brokenBy(ping);
  // Who speaks unasked is judged by that.
  if (broken !== null && ping.fate !== 'unasked') {
    const give =
      'is an agent of this protocol there, and free? docs/check-guest.md has it; --timeout waits longer';
    throw new Unreachable(`fork ${n}: its agent does not answer a ping: ${broken.observed}`, give);
  }
  const versions = objectIn(ping)?.versions;
  if (!Array.isArray(versions) || versions.some((version) => reseedVersions.includes(version))) return;
  const named = versions.slice(0, 8).map((version) => String(version).slice(0, 16));
  throw new Unreachable(
    `its agent speaks version ${named.join(', ') || 'none'} of notify_forked, and this check version ${reseedVersions}`,
    `an agent that speaks version ${reseedVersions}: docs/check-guest.md has it`,
    'unsupported',
  );
}
