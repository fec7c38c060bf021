/**
 * The whole way of a fork without any effect: an agent of its own, on ground that changes nothing; and an exec. After
 * them, what a fork runs is loaded and compiled, and the snapshot holds it so.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { SyscallError } from '#reference/base/syscalls.ts';
import type { ControlReply } from '#reference/contract/guest-protocol.ts';
import { nonceOctets } from '#reference/contract/reseed.ts';
import { Agent } from './agent.ts';
import { lineOf } from './channel.ts';
import { controlHandler } from './control-handler.ts';
import type { Links } from './eth0.ts';
import { rehearseExecs } from './exec-rehearsal.ts';
import { Generators } from './generators.ts';
import { type ForkFile, ForkFiles, places, sandboxFolder } from './guest-files.ts';
import { PortChannel } from './port-channel.ts';
import type { Starter } from './program.ts';
import type { ProgramGroup } from './program-groups.ts';
import { type SystemCalls, systemCalls } from './system-calls.ts';
import { CgroupWorkload, type Workload } from './workload.ts';

const nothing = () => undefined;
const RNDGETENTCNT = 0x80045200;

/** Calls that the kernel answers, and that change nothing. */
function idleCalls(calls: SystemCalls): SystemCalls {
  return {
    ...calls,
    // The same call and device; it only asks.
    ioctl: (fd) => calls.ioctl(fd, RNDGETENTCNT, Buffer.alloc(4)),
    clockSettime: (_, time) => refusedBy(() => calls.clockSettime(noClock, time)),
    sethostname: () => calls.sethostname(hostname()),
    mount: nothing,
    umount: nothing,
  };
}

/** A clock that no kernel has. */
const noClock = 1_000;

function refusedBy(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof SyscallError) || error.code !== 'EINVAL') throw error;
  }
}

/** Files of its own, in the place of every file. */
const rehearsalFolder = `${sandboxFolder}/rehearsal`;

function idleFiles(): ForkFiles {
  for (const { path } of Object.values(places)) {
    mkdirSync(dirname(rehearsalFolder + path), { recursive: true });
    writeFileSync(rehearsalFolder + path, '');
  }
  const files = new ForkFiles(rehearsalFolder);
  // Those that cannot be held are written in another way.
  for (const name of Object.keys(places)) files.write(name as ForkFile, '');
  files.hold();
  return files;
}

const bareFork = () => ({
  method: 'notify_forked',
  version: 1,
  generation: 1,
  nonce: randomBytes(nonceOctets).toString('hex'),
  seed: randomBytes(64).toString('hex'),
  // Of another time, and no small integer: else what reads it would learn in the fork what it is.
  host_wall_clock_nanos: Date.now() * 1e6 + 3_600e9,
});

const network = { address: '10.0.0.2/30', gateway: '10.0.0.1', resolvers: ['10.0.0.1'], mtu: 1_500 };

/** What hosts send, in their shapes. */
const forks: readonly (() => object)[] = [
  bareFork,
  () => ({ ...bareFork(), hostname: 'rehearsal' }),
  () => ({ ...bareFork(), network, hostname: 'rehearsal' }),
  () => ({ ...bareFork(), network, volumes: [], hostname: 'rehearsal' }),
];

const settleMs = 100;
/** Until what they run is compiled and knows the shapes that it sees; and again after the collection. */
const roundsBefore = 8;
const roundsAfter = 2 * forks.length;
const execRoundsAfter = 2;

export class Rehearsal {
  readonly #links: Pick<Links, 'look'>;
  readonly #starter: Starter;
  #isExecRehearsed = false;
  #isCollected = false;

  constructor(links: Pick<Links, 'look'>, starter: Starter) {
    this.#links = links;
    this.#starter = starter;
  }

  /** @throws Error when the way of a fork is not open */
  async fork(): Promise<void> {
    const ground = idleGround(this.#links);
    try {
      for (let round = 0; round < roundsBefore + roundsAfter; round++) {
        // In a fork it would be the dearest thing to run, and make shared pages its own.
        if (round === roundsBefore) {
          touchYoungGeneration();
          this.#collect();
        }
        await rehearseFork(ground, (forks[round % forks.length] ?? bareFork)());
      }
      // The collector goes on beside.
      await wait(settleMs);
    } finally {
      leave(ground);
    }
  }

  /** Of an exec's garbage that is new alone: with all of it, shapes of objects that nobody holds would be forgotten. */
  #collect(): void {
    globalThis.gc?.({ type: this.#isCollected ? 'minor' : 'major', execution: 'sync' });
    this.#isCollected = false;
  }

  /** Once: what is compiled stays so. @throws Error when the way of an exec is not open */
  async exec(): Promise<void> {
    if (this.#isExecRehearsed) return;
    this.#isExecRehearsed = true;
    const ground = idleGround(this.#links);
    try {
      const agent = await rehearseFork(ground, bareFork());
      await rehearseExecs(this.#starter, agent);
      this.#collect();
      this.#isCollected = true;
      for (let round = 0; round < execRoundsAfter; round++) await rehearseExecs(this.#starter, agent);
    } finally {
      leave(ground);
    }
  }
}

/** Both halves of it, and once more. */
const youngOctets = 12 << 20;
const objectOctets = 8_192;

/** Its memory is then given by the guest's kernel already: a fork would pay for each page that it first touches. */
function touchYoungGeneration(): void {
  for (let at = 0; at < youngOctets; at += objectOctets) new Array<number>(objectOctets / 8).fill(at);
}

const channelFile = `${sandboxFolder}/rehearsal-channel`;

/** By the way of a held agent on its port, from the wait to the answer. @returns the agent, released */
async function rehearseFork(ground: IdleGround, fork: object): Promise<Agent> {
  const agent = idleAgent(ground);
  const prepared = await agent.control({ method: 'prepare_snapshot' });
  const asked = [fork, { method: 'release', generation: 1 }].map((message) => lineOf(message));
  writeFileSync(channelFile, Buffer.concat(asked));
  const channel = new PortChannel(channelFile);
  // At the end of the file, where answers stand behind the requests.
  await channel.serve({ ...controlHandler(agent), disconnected: () => channel.close() });
  const lines = readFileSync(channelFile, 'utf8').trim().split('\n').slice(asked.length);
  const replies = [prepared, ...lines.map((line) => JSON.parse(line) as ControlReply)];
  const refused = replies.find(({ ok }) => !ok);
  if (replies.length !== 3 || refused !== undefined) {
    throw new Error(
      `the rehearsal of a fork failed: ${refused !== undefined && 'error' in refused ? refused.error : ''}`,
    );
  }
  return agent;
}

interface IdleGround {
  readonly calls: SystemCalls;
  readonly generators: Generators;
  readonly files: ForkFiles;
  readonly workload: Workload;
  /** A cgroup within, as programs have. */
  readonly group: ProgramGroup;
  readonly links: Pick<Links, 'look'>;
}

function idleGround(links: Pick<Links, 'look'>): IdleGround {
  const calls = idleCalls(systemCalls);
  // Of its own, with nobody in it.
  const workload = new CgroupWorkload('rehearsal', false);
  const [generators, files, group] = [new Generators(calls), idleFiles(), workload.group({})];
  return { calls, generators, files, workload, group, links };
}

function leave({ generators, files, group }: IdleGround): void {
  group.close();
  generators.close();
  files.close();
  for (const path of [channelFile, rehearsalFolder]) rmSync(path, { recursive: true, force: true });
}

function idleAgent({ calls, generators, files, workload, links }: IdleGround): Agent {
  return new Agent({
    generators,
    repair: {
      calls,
      files,
      generators,
      configureNetwork: () => links.look(),
      mountVolume: nothing,
    },
    workload,
    detachVolumes: () => null,
    inFlight: () => 0,
    init: async () => ({ ok: false }),
    facts: () => ({ ok: true, node: '', kernel_release: '', generator_symbol: null }),
    rehearseExec: async () => undefined,
    rehearseFork: async () => undefined,
    log: nothing,
  });
}
