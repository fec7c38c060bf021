/**
 * What a fork has to be told besides entropy, in its only order: generators of this process, clock, generation,
 * identity, network, volumes.
 * Invariant: the first step that fails ends it, and then the fork is refused; a log names the step, never a time or a
 * value.
 */
import type { ForkConfiguration, GuestNetwork, GuestVolume } from '#reference/contract/guest-protocol.ts';
import type { Generators } from './generators.ts';
import { type ForkFiles, freshId, freshMachineId } from './guest-files.ts';
import type { SystemCalls } from './system-calls.ts';

/** A smaller drift is left to whoever keeps the clock. */
export const largestDriftNanos = 500_000_000;
const nanosPerMilli = 1_000_000;
const nanosPerSecond = 1_000_000_000;
const CLOCK_REALTIME = 0;

/** What the repair acts on; the rehearsal before a snapshot gives it one that changes nothing. */
export interface RepairGround {
  readonly calls: SystemCalls;
  readonly files: Pick<ForkFiles, 'hold' | 'write'>;
  readonly generators: Pick<Generators, 'renewThisProcess'>;
  configureNetwork(network: GuestNetwork): void;
  mountVolume(volume: GuestVolume): void;
}

export interface Fork {
  readonly configuration: ForkConfiguration;
  readonly generation: number;
  readonly hostWallClockNanos: number;
}

/** @returns the step of the clock @throws RepairError */
export function repairFork(ground: RepairGround, fork: Fork): number {
  const { calls, files } = ground;
  const { network, volumes = [], hostname } = fork.configuration;
  let appliedClockStepNanos = 0;
  const steps: [name: string, act: () => void][] = [
    ['generators of the agent', () => ground.generators.renewThisProcess()],
    [
      'clock',
      () => {
        appliedClockStepNanos = stepClock(calls, fork.hostWallClockNanos);
      },
    ],
    ['generation', () => files.write('generation', `${fork.generation}\n`)],
    ['boot ID', () => files.write('bootId', `${freshUuid()}\n`)],
    ['machine ID', () => files.write('machineId', freshMachineId())],
    ['hostname', () => setHostname(ground, hostname)],
    ['network', () => setNetwork(ground, network)],
    ['volumes', () => volumes.forEach((volume) => void ground.mountVolume(volume))],
  ];
  for (const [name, act] of steps) {
    try {
      act();
    } catch (cause) {
      throw new RepairError(name, cause);
    }
  }
  return appliedClockStepNanos;
}

export class RepairError extends Error {
  constructor(step: string, cause: unknown) {
    super(`a fork could not be repaired: ${step}`, { cause });
    this.name = 'RepairError';
  }
}

function stepClock(calls: SystemCalls, hostNanos: number): number {
  const step = hostNanos - Date.now() * nanosPerMilli;
  if (Math.abs(step) <= largestDriftNanos) return 0;
  calls.clockSettime(CLOCK_REALTIME, timespec(hostNanos));
  return step;
}

/** struct timespec of 64-bit Linux, little-endian: seconds, nanoseconds. */
const time = new Uint32Array(4);

/** Each number in it is whole, and none is rounded. */
function timespec(nanos: number): Uint32Array {
  const rest = nanos % nanosPerSecond;
  const seconds = (nanos - rest) / nanosPerSecond;
  time[0] = seconds;
  time[1] = Math.floor(seconds / 2 ** 32);
  time[2] = rest;
  return time;
}

/** Of version 4, from the generator as it is: not from those that `randomUUID` keeps. */
function freshUuid(): string {
  const octets = freshId();
  octets[6] = ((octets[6] ?? 0) & 0x0f) | 0x40;
  octets[8] = ((octets[8] ?? 0) & 0x3f) | 0x80;
  const hex = octets.toString('hex');
  const parts = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}`;
  return `${parts}-${hex.slice(20)}`;
}

function setHostname({ calls, files }: RepairGround, hostname: string | undefined): void {
  if (hostname === undefined) return;
  calls.sethostname(hostname);
  files.write('hostname', `${hostname}\n`);
}

function setNetwork(ground: RepairGround, network: GuestNetwork | undefined): void {
  if (network === undefined) return;
  ground.configureNetwork(network);
  const lines = network.resolvers.map((address) => `nameserver ${address}\n`);
  ground.files.write('resolvers', lines.join(''));
}
