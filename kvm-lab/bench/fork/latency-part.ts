/** One fork after another: anew, of the pool, of the rehearsed pool; a cold boot between, and the first exec. */
import { median, ms, type Part, quantile, rate } from '../datapath/figures.ts';
import { bound, coldBootMs, forkOnce, type Ground, type MeasuredFork, said, say } from './ground.ts';
import { hashedOctets } from './hashed-octets.ts';
import { ownProcessorMs, privateMemory, processorMs } from './processes.ts';

/** Of 60, p99 would be the slowest one: it would tell of the machine’s worst moment. */
const rounds = 200;
const boots = 4;
/** The device state alone is larger. */
const mostHashed = 65_536;
const staticProgram = ['/bin/busybox', 'true'];

interface Exec {
  readonly tookMs: number;
  readonly vmmProcessorMs: number;
}

export async function latencyPart(ground: Ground): Promise<Part> {
  const { engine, vmm, template } = ground;
  const [anew, ofPool, rehearsed]: MeasuredFork[][] = [[], [], []];
  const [booted, hashed, waitingKib]: number[][] = [[], [], []];
  const execs: Exec[] = [];
  // What this process runs for the first time is compiled then.
  for (let index = 0; index < 3; index++) await engine.terminate((await forkOnce(ground, ownProcessorMs)).id);
  for (let round = 0; round < rounds; round++) {
    if (round % 10 === 0) say(`latency: round ${round} of ${rounds}`);
    if (round % (rounds / boots) === 0) booted?.push(await coldBootMs(vmm));
    const before = hashedOctets();
    const fork = await forkOnce(ground, ownProcessorMs);
    hashed?.push(hashedOctets() - before);
    anew?.push(fork);
    execs.push(await firstExec(ground, fork));
    await engine.terminate(fork.id);
    ofPool?.push(await forkOfPool(ground, false));
    rehearsed?.push(await forkOfPool(ground, true, waitingKib));
  }
  const passed = anew?.map(({ passedMs }) => passedMs) ?? [];
  const fromPool = ofPool?.map(({ passedMs }) => passedMs) ?? [];
  const fromRehearsed = rehearsed?.map(({ passedMs }) => passedMs) ?? [];
  const waitingMiB = Math.max(...(waitingKib ?? [])) / 1_024;
  const pastBoot = median(booted ?? []) / median(passed);
  return {
    measurements: [
      rate('fork → gate passed', 'forks', passed, { leads: true }),
      rate('  cold boot → agent answers', 'boots', booted ?? []),
      rate('  fork of the pool → gate passed', 'forks', fromPool),
      rate('  fork of the rehearsed pool → gate passed', 'forks', fromRehearsed),
      rate(
        'first exec, a static program',
        'execs',
        execs.map(({ tookMs }) => tookMs),
        { leads: true },
      ),
    ],
    notes: [
      spread('fork → gate passed', passed),
      spread('of the pool', fromPool),
      spread('of the rehearsed pool', fromRehearsed),
      spread('cold boot', booted ?? []),
      spread(
        'first exec',
        execs.map(({ tookMs }) => tookMs),
      ),
      stages('a fork', anew ?? []),
      stages('one of the rehearsed pool', rehearsed ?? []),
      processor('a fork', anew ?? []),
      processor('one of the rehearsed pool', rehearsed ?? []),
      `and before it was asked for: ${ms(median(rehearsed?.map(({ times }) => times.aheadMs) ?? []))} in QEMU`,
      `processor time of the first exec: ${ms(median(execs.map(({ vmmProcessorMs }) => vmmProcessorMs)))} in QEMU`,
      ...hashing(hashed ?? []),
      bound('fork p50 ≤ 100 ms', median(passed), 'ms', median(passed) <= 100),
      bound('fork p99 ≤ 200 ms', quantile(passed, 0.99), 'ms', quantile(passed, 0.99) <= 200),
      bound('≥ 40× a cold boot', pastBoot, '×', pastBoot >= 40),
      bound('of the pool p50 ≤ 60 ms', median(fromPool), 'ms', median(fromPool) <= 60),
      bound('of the rehearsed pool p50 ≤ 60 ms', median(fromRehearsed), 'ms', median(fromRehearsed) <= 60),
      bound('≤ 3 MiB private guest memory while one waits rehearsed', waitingMiB, 'MiB', waitingMiB <= 3),
      bound(
        'first exec p50 ≤ 150 ms',
        median(execs.map(({ tookMs }) => tookMs)),
        'ms',
        median(execs.map(({ tookMs }) => tookMs)) <= 150,
      ),
      bound('gate p50 ≤ 10 ms', gateMs(anew ?? []), 'ms', gateMs(anew ?? []) <= 10),
      bound('template build ≤ 20 s', template.buildMs / 1_000, 's', template.buildMs <= 20_000),
    ],
  };
}

/** @param waitingKib gets what a rehearsed one holds of the guest's memory for itself while it waits */
async function forkOfPool(
  ground: Ground,
  isRehearsed: boolean,
  waitingKib?: number[],
): Promise<MeasuredFork> {
  const { engine, template, vmm } = ground;
  await engine.keepReady(template.id, 1, isRehearsed);
  const waiting = vmm.forks.at(-1);
  if (isRehearsed && waiting !== undefined) waitingKib?.push(privateMemory(waiting.pid).guestKib);
  const fork = await forkOnce(ground, ownProcessorMs);
  if (isRehearsed && fork.times.pid !== waiting?.pid) throw new Error('the fork was not of the pool');
  await engine.terminate(fork.id);
  await engine.keepReady(template.id, 0);
  return fork;
}

async function firstExec(ground: Ground, { id, times }: MeasuredFork): Promise<Exec> {
  const [startMs, processorBeforeMs] = [performance.now(), processorMs(times.pid)];
  await said(ground, id, ...staticProgram);
  const tookMs = performance.now() - startMs;
  return { tookMs, vmmProcessorMs: processorMs(times.pid) - processorBeforeMs };
}

const gateMs = (forks: readonly MeasuredFork[]) => median(forks.map((fork) => fork.gateMs));

function spread(what: string, values: readonly number[]): string {
  const [p50, p99] = [median(values), quantile(values, 0.99)];
  return `${what}: p50 ${ms(p50)}, p99 ${ms(p99)}, ${ms(Math.min(...values))} at least, of ${values.length}`;
}

/** Where a fork's time goes. */
function stages(what: string, forks: readonly MeasuredFork[]): string {
  const of = (take: (fork: MeasuredFork) => number) => ms(median(forks.map(take)));
  const prepared = of(({ passedMs, times }) => Math.max(0, passedMs - (times.passedMs - times.preparedMs)));
  const guest = of(({ times }) => times.answeredMs - times.askedMs);
  // One of the pool was prepared before.
  const resumed = of(({ passedMs, times }) => {
    const startMs = times.passedMs - passedMs;
    return times.resumedMs - Math.max(startMs, times.preparedMs);
  });
  return `of ${what}: VMM prepared ${prepared}, resumed ${resumed}, the guest’s answer ${guest}, the gate itself ${of((fork) => fork.gateMs)}`;
}

function processor(what: string, forks: readonly MeasuredFork[]): string {
  const vmm = median(forks.map(({ times }) => times.vmmProcessorMs));
  const own = median(forks.map((fork) => fork.ownProcessorMs));
  return `processor time of ${what}: ${ms(vmm)} in QEMU, ${ms(own)} in this process`;
}

/** By a counter, not by time. */
function hashing(hashed: readonly number[]): string[] {
  const most = Math.max(...hashed);
  return [
    `hashed for a fork: ${most.toLocaleString('en-US')} octets at most (seed, proof and lines of the journal)`,
    bound('activation hashes nothing of a snapshot', most, 'octets', most > 0 && most < mostHashed),
  ];
}
