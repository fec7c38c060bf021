/**
 * The whole way of a fork without any effect: an agent of its own, on ground that changes nothing; and an exec. After
 * them, what a fork runs is loaded and compiled, and the snapshot holds it so.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { SyscallError } from '#reference/base/syscalls.ts';
import type { ControlReply } from '#reference/contract/guest-protocol.ts';
import { nonceOctets } from '#reference/contract/reseed.ts';
import { Agent } from './agent.ts';
import { lineOf } from './channel.ts';
import type { Links } from './eth0.ts';
import { ExecService } from './exec-service.ts';
import { Generators } from './generators.ts';
import { type FileWriter, fileWriter, sandboxFolder } from './guest-files.ts';
import type { Starter } from './program.ts';
import { readControl } from './read-request.ts';
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

/** A cgroup of its own, with nobody in it; what others there are hinders nobody. */
class IdleWorkload extends CgroupWorkload {
  override others(): readonly [] {
    return [];
  }
}

const rehearsalFile = `${sandboxFolder}/rehearsal`;

/** A file of its own, in the place of every file. */
const idleFiles: FileWriter = {
  replace: (_, text, mode) => fileWriter.replace(rehearsalFile, text, mode),
  overwrite: (_, text) => fileWriter.overwrite(rehearsalFile, text),
};

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

/** @throws Error when the way of a fork is not open */
export async function rehearseFork(links: Pick<Links, 'look'>): Promise<void> {
  const calls = idleCalls(systemCalls);
  const generators = new Generators(calls);
  const workload = new IdleWorkload('rehearsal');
  try {
    for (let round = 0; round < roundsBefore + roundsAfter; round++) {
      // In a fork it would be the dearest thing to run, and make shared pages its own.
      if (round === roundsBefore) {
        touchYoungGeneration();
        globalThis.gc?.();
      }
      const fork = forks[round % forks.length] ?? bareFork;
      await rehearseOnce(idleAgent(calls, generators, workload, links), fork());
    }
    // The collector goes on beside.
    await wait(settleMs);
  } finally {
    generators.close();
  }
}

/** Both halves of it, and once more. */
const youngOctets = 12 << 20;
const objectOctets = 8_192;

/** Its memory is then given by the guest's kernel already: a fork would pay for each page that it first touches. */
function touchYoungGeneration(): void {
  for (let at = 0; at < youngOctets; at += objectOctets) new Array<number>(objectOctets / 8).fill(at);
}

async function rehearseOnce(agent: Agent, fork: object): Promise<void> {
  for (const message of [{ method: 'prepare_snapshot' }, fork, { method: 'release', generation: 1 }]) {
    const reading = readControl(lineOf(message).toString());
    const reply: ControlReply =
      'error' in reading ? { ok: false, error: reading.error } : await agent.control(reading.request);
    if (!reply.ok) throw new Error(`the rehearsal of a fork failed: ${'error' in reply ? reply.error : ''}`);
    lineOf(reply);
  }
}

function idleAgent(
  calls: SystemCalls,
  generators: Generators,
  workload: Workload,
  links: Pick<Links, 'look'>,
): Agent {
  return new Agent({
    generators,
    repair: {
      calls,
      files: idleFiles,
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

let isExecRehearsed = false;

/** The agent's own runtime is there for certain; it costs half a second. */
const programs = ['/bin/true', '/usr/bin/true', process.execPath];

/** Once: what is compiled stays so. */
export async function rehearseExec(starter: Starter): Promise<void> {
  if (isExecRehearsed) return;
  isExecRehearsed = true;
  const program = programs.find((path) => existsSync(path)) ?? process.execPath;
  const request = { argv: [program, '--version'], timeout_ms: 30_000, max_output_octets: 1_024 };
  const service = new ExecService(starter, request, async (part) => void lineOf(part));
  const { error } = await service.ended;
  if (error !== undefined) throw new Error(`the rehearsal of an exec failed: ${error}`);
}
