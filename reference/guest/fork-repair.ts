/**
 * What a fork has to be told besides entropy, in its only order: generators of this process, clock, generation,
 * identity, network, volumes.
 * Invariant: the first step that fails ends it, and then the fork is refused; a log names the step, never a time or a
 * value.
 */
import { randomBytes } from 'node:crypto';
import type { ForkConfiguration, GuestNetwork, GuestVolume } from '#reference/contract/guest-protocol.ts';
import type { Generators } from './generators.ts';
import { bootIdFile, type FileWriter, generationFile } from './guest-files.ts';
import type { SystemCalls } from './system-calls.ts';

/** A smaller drift is left to whoever keeps the clock. */
export const largestDriftNanos = 500_000_000;
const nanosPerMilli = 1_000_000;
const CLOCK_REALTIME = 0;

/** What the repair acts on; the rehearsal before a snapshot gives it one that changes nothing. */
export interface RepairGround {
  readonly calls: SystemCalls;
  readonly files: FileWriter;
  readonly generators: Pick<Generators, 'renewThisProcess'>;
  configureNetwork(network: GuestNetwork): void;
  mountVolume(volume: GuestVolume): void;
}

export interface Fork extends ForkConfiguration {
  readonly generation: number;
  readonly hostWallClockNanos: number;
}

/** @returns the step of the clock @throws RepairError */
export function repairFork(ground: RepairGround, fork: Fork): number {
  const { calls, files } = ground;
  let appliedClockStepNanos = 0;
  const steps: [name: string, act: () => void][] = [
    ['generators of the agent', () => ground.generators.renewThisProcess()],
    [
      'clock',
      () => {
        appliedClockStepNanos = stepClock(calls, fork.hostWallClockNanos);
      },
    ],
    ['generation', () => files.replace(generationFile, `${fork.generation}\n`, 0o444)],
    ['boot ID', () => files.overwrite(bootIdFile, `${freshUuid()}\n`)],
    ['machine ID', () => files.replace('/etc/machine-id', `${randomBytes(16).toString('hex')}\n`, 0o444)],
    ['hostname', () => setHostname(ground, fork.hostname)],
    ['network', () => setNetwork(ground, fork.network)],
    ['volumes', () => (fork.volumes ?? []).forEach((volume) => void ground.mountVolume(volume))],
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
  const nanos = BigInt(hostNanos);
  calls.clockSettime(CLOCK_REALTIME, BigInt64Array.of(nanos / 1_000_000_000n, nanos % 1_000_000_000n));
  return step;
}

/** Of version 4, from the generator as it is: not from those that `randomUUID` keeps. */
function freshUuid(): string {
  const octets = randomBytes(16);
  octets[6] = ((octets[6] ?? 0) & 0x0f) | 0x40;
  octets[8] = ((octets[8] ?? 0) & 0x3f) | 0x80;
  const hex = octets.toString('hex');
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts
    .slice(1)
    .map((end, part) => hex.slice(cuts[part], end))
    .join('-');
}

function setHostname({ calls, files }: RepairGround, hostname: string | undefined): void {
  if (hostname === undefined) return;
  calls.sethostname(hostname);
  files.replace('/etc/hostname', `${hostname}\n`, 0o644);
}

function setNetwork(ground: RepairGround, network: GuestNetwork | undefined): void {
  if (network === undefined) return;
  ground.configureNetwork(network);
  const lines = network.resolvers.map((address) => `nameserver ${address}\n`);
  ground.files.replace('/etc/resolv.conf', lines.join(''), 0o644);
}
