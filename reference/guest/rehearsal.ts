/**
 * The whole way of a fork without any effect: an agent of its own, on ground that changes nothing; and an exec. After
 * them, what a fork runs is loaded and compiled, and the snapshot holds it so.
 */
import { randomBytes } from 'node:crypto';
import type { ControlReply } from '#reference/contract/guest-protocol.ts';
import { nonceOctets, sampleDrawOctets } from '#reference/contract/reseed.ts';
import { Agent } from './agent.ts';
import { lineOf } from './channel.ts';
import type { Links } from './eth0.ts';
import { ExecService } from './exec-service.ts';
import { Generators } from './generators.ts';
import type { FileWriter } from './guest-files.ts';
import type { Starter } from './program.ts';
import { readControl } from './read-request.ts';
import type { SystemCalls } from './system-calls.ts';
import type { Workload } from './workload.ts';

const nothing = () => undefined;

const noCalls: SystemCalls = {
  open: () => -1,
  ioctl: () => 0,
  getrandom: () => sampleDrawOctets,
  randPoll: nothing,
  clockSettime: nothing,
  sethostname: nothing,
  mount: nothing,
  peekEnded: () => null,
  reap: nothing,
};

const noFiles: FileWriter = { replace: nothing, overwrite: nothing };

const noWorkload: Workload = {
  startInside: (start) => start(),
  freeze: async () => true,
  thaw: nothing,
  answering: async () => [],
  others: () => [],
  signalThoseThatCatch: () => 0,
};

const lines = (): object[] => [
  { method: 'prepare_snapshot' },
  {
    method: 'notify_forked',
    version: 1,
    generation: 1,
    nonce: randomBytes(nonceOctets).toString('hex'),
    seed: randomBytes(64).toString('hex'),
    host_wall_clock_nanos: 0,
    network: { address: '10.0.0.2/30', gateway: '10.0.0.1', resolvers: ['10.0.0.1'], mtu: 1_500 },
    volumes: [],
    hostname: 'rehearsal',
  },
  { method: 'release', generation: 1 },
];

/** Once, what it needs is loaded; then what is not needed any more is thrown away, and with it some that is. */
const rounds = 2;

/** @throws Error when the way of a fork is not open */
export async function rehearseFork(links: Pick<Links, 'look'>): Promise<void> {
  const generators = new Generators(noCalls);
  for (let round = 0; round < rounds; round++) {
    // A collection in a fork is the dearest thing that it could run, and makes shared pages its own.
    if (round > 0) globalThis.gc?.();
    const agent: Agent = new Agent({
      generators,
      repair: {
        calls: noCalls,
        files: noFiles,
        generators,
        configureNetwork: () => links.look(),
        mountVolume: nothing,
      },
      workload: noWorkload,
      inFlight: () => 0,
      init: async () => ({ ok: false }),
      facts: () => ({ ok: true, node: '', kernel_release: '', generator_symbol: null }),
      rehearseExec: async () => undefined,
      rehearseFork: async () => undefined,
      log: nothing,
    });
    for (const message of lines()) {
      const reading = readControl(lineOf(message).toString());
      const reply: ControlReply =
        'error' in reading ? { ok: false, error: reading.error } : await agent.control(reading.request);
      if (!reply.ok)
        throw new Error(`the rehearsal of a fork failed: ${'error' in reply ? reply.error : ''}`);
      lineOf(reply);
    }
  }
}

let isExecRehearsed = false;

/** Of the one program that is there for certain. Once: what is compiled stays so. */
export async function rehearseExec(starter: Starter): Promise<void> {
  if (isExecRehearsed) return;
  isExecRehearsed = true;
  const request = { argv: [process.execPath, '--version'], timeout_ms: 10_000, max_output_octets: 1_024 };
  const service = new ExecService(starter, request, async (part) => void lineOf(part));
  const { error } = await service.ended;
  if (error !== undefined) throw new Error(`the rehearsal of an exec failed: ${error}`);
}
