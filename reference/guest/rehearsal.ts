/**
 * The whole way of a fork without any effect: an agent of its own, on ground that changes nothing. After it, what a
 * fork runs is loaded and compiled, and the snapshot holds it so.
 */
import { randomBytes } from 'node:crypto';
import type { ControlReply } from '#reference/contract/guest-protocol.ts';
import { nonceOctets, sampleDrawOctets } from '#reference/contract/reseed.ts';
import { Agent } from './agent.ts';
import { lineOf } from './channel.ts';
import type { Links } from './eth0.ts';
import { Generators } from './generators.ts';
import type { FileWriter } from './guest-files.ts';
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

/** Compilers begin after a few rounds. */
const rounds = 3;

/** @throws Error when the way of a fork is not open */
export async function rehearseFork(links: Pick<Links, 'look'> | null): Promise<void> {
  const generators = new Generators(noCalls);
  for (let round = 0; round < rounds; round++) {
    const agent: Agent = new Agent({
      generators,
      repair: {
        calls: noCalls,
        files: noFiles,
        generators,
        configureNetwork: () => links?.look(),
        mountVolume: nothing,
      },
      workload: noWorkload,
      inFlight: () => 0,
      init: async () => ({ ok: false }),
      facts: () => ({ ok: true, node: '', kernel_release: '', generator_symbol: null }),
      rehearse: async () => undefined,
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
