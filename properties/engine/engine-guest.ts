/**
 * A guest that speaks the whole protocol, as a program of the fake VMM: it freezes, reseeds, proves, is released, runs
 * a few programs and keeps files. What it remembers is copied with snapshots, as memory is.
 */
import { hash, randomBytes } from 'node:crypto';
import type { GuestVolume } from '#reference/contract/guest-protocol.ts';
import type { FakeGuest, FakeMemory, FakeProgram } from '#reference/vmm/fake-vmm.ts';
import { honestLine } from '../models/reseed-guest.ts';

interface Remembered extends FakeMemory {
  phase?: string;
  taken?: number;
  files?: Record<string, string>;
  /** Of this fork. */
  mounts?: readonly GuestVolume[];
}

type Request = Readonly<Record<string, unknown>> & { readonly method: string };

/** What a guest does instead of the honest thing, decided when it is forked. */
export type Lie = 'none' | 'silent' | 'boolean' | 'same sample' | 'unchanged generator';

/** What a guest answers to a ping in a fork: to be rehearsed. */
export type PingManners =
  | 'well'
  | 'silent'
  | 'no answer'
  | 'thawed'
  | 'of another generation'
  | 'twice'
  | 'ends';

export interface EngineGuest {
  readonly program: FakeProgram;
  /** Lies of the next forks, one each; past its end they are honest. */
  readonly lies: Lie[];
  /** Of the next pings in forks, one each; past its end they are answered well. */
  readonly pings: PingManners[];
  boots: number;
  /** Methods that came on either channel, in order. */
  readonly asked: string[];
  /** The last exec. */
  executed: Request | null;
  /** Alive and undeclared at the next freezes. */
  readonly processes: { pid: number; comm: string }[];
  /** Answers no freeze until it is false again. */
  freezesLate: boolean;
  /** Said by the next init command; empty: it succeeds. */
  initOutput: string;
}

const generatorSymbol = 'ffffffff82345678';

export function engineGuest(): EngineGuest {
  const guest: EngineGuest = {
    lies: [],
    pings: [],
    boots: 0,
    asked: [],
    executed: null,
    processes: [],
    freezesLate: false,
    initOutput: '',
    program: (machine, line, channel) => {
      const request = JSON.parse(line) as Request;
      guest.asked.push(request.method);
      if (request.method === 'exec') guest.executed = request;
      const answer = channel === 'control' ? control(guest, machine, request) : service(machine, request);
      for (const one of answer) machine.send(typeof one === 'string' ? one : JSON.stringify(one));
    },
  };
  return guest;
}

function control(guest: EngineGuest, machine: FakeGuest, request: Request): (object | string)[] {
  const memory = machine.memory as Remembered;
  memory.phase ??= 'running';
  switch (request.method) {
    case 'ping':
      return pinged(guest, machine, memory);
    case 'facts':
      return [
        { ok: true, node: process.version, kernel_release: '6.1.0', generator_symbol: generatorSymbol },
      ];
    case 'init':
      if (guest.initOutput === '') return [{ ok: true, exit_code: 0 }];
      return [{ ok: false, exit_code: 3, output: Buffer.from(guest.initOutput).toString('base64') }];
    case 'prepare_snapshot':
      if (guest.freezesLate) return [];
      if (guest.processes.length > 0) return [{ ok: false, error: 'alive', processes: guest.processes }];
      memory.phase = 'frozen';
      return [{ ok: true }];
    case 'notify_forked':
      return mounted(machine, request) ?? forked(guest.lies.shift() ?? 'none', memory, request);
    case 'release':
      memory.phase = 'released';
      return [{ ok: true, signaled_processes: 2 }];
    default:
      return [{ ok: false, error: 'unknown method' }];
  }
}

/** Its kernel renews its generator by itself meanwhile. */
function pinged(guest: EngineGuest, machine: FakeGuest, memory: Remembered): (object | string)[] {
  const { phase = 'running', taken: generation = 0 } = memory;
  const pong = { ok: true, agent: 'fake', versions: [1], phase, generation };
  const renewals = Number(memory.generator?.generation ?? 2);
  memory.generator = { generation: String(renewals + 1), keySha256: hash('sha256', randomBytes(32)) };
  if (phase === 'running') {
    guest.boots += 1;
    return [pong];
  }
  switch (guest.pings.shift() ?? 'well') {
    case 'well':
      return [pong];
    case 'silent':
      return [];
    case 'no answer':
      return ['ok'];
    case 'thawed':
      return [{ ...pong, phase: 'released' }];
    case 'of another generation':
      return [{ ...pong, generation: generation + 1 }];
    case 'twice':
      return [pong, pong];
    case 'ends':
      setImmediate(() => machine.end());
      return [pong];
  }
}

/** null: all that it was told to mount is there. */
function mounted(machine: FakeGuest, request: Request): object[] | null {
  const { volumes = [] } = request as { volumes?: readonly GuestVolume[] };
  for (const { serial } of volumes) {
    const disk = machine.disks.get(serial);
    const fault = disk === undefined ? 'no-volume' : disk.read() === 'nothing' ? 'volume-empty' : null;
    if (fault === null) continue;
    machine.print(`a fork could not be repaired: volumes: ${fault}`);
    return [{ ok: false, reseeded_rng: false, error: 'not repaired' }];
  }
  (machine.memory as Remembered).mounts = volumes;
  return null;
}

function forked(lie: Lie, memory: Remembered, request: Request): (object | string)[] {
  const { generation, nonce } = request as { generation?: number; nonce?: string };
  if (generation === undefined || nonce === undefined) return [{ ok: false, error: 'no request' }];
  if (memory.phase !== 'frozen' || generation <= (memory.taken ?? 0)) {
    return [{ ok: false, reseeded_rng: false, error: 'not frozen, or of an old generation' }];
  }
  memory.taken = generation;
  memory.phase = 'replied';
  if (lie === 'silent') return [];
  if (lie === 'boolean') return [{ ok: true, reseeded_rng: true }];
  const key = hash('sha256', lie === 'same sample' ? 'the same' : randomBytes(32));
  if (lie !== 'unchanged generator')
    memory.generator = { generation: String(1_000 + generation), keySha256: key };
  return [honestLine(hash('sha256', key), { generation, nonce })];
}

function service(machine: FakeGuest, request: Request): object[] {
  const memory = machine.memory as Remembered;
  const { id = 0, path } = request as { id?: number; path?: string };
  memory.files ??= {};
  const missing = { id, ok: false, error: 'ENOENT: no such file' };
  const content = path === undefined ? undefined : memory.files[path];
  if (memory.phase !== 'released') return [{ id, ok: false, error: 'not before the release' }];
  switch (request.method) {
    case 'exec':
      return exec(machine, id, request as { argv?: string[]; env?: object });
    case 'write':
      memory.writing = path;
      memory.written = '';
      return [];
    case 'data':
      memory.written = `${memory.written}${Buffer.from(String(request.data), 'base64').toString('latin1')}`;
      if (request.end !== true) return [{ id, ack: 1 }];
      if (String(memory.writing).startsWith('/readonly/')) return [{ id, ok: false, error: 'EROFS' }];
      memory.files[String(memory.writing)] = String(memory.written);
      return [
        { id, ack: 1 },
        { id, ok: true },
      ];
    case 'read':
      if (content === undefined) return [missing];
      return [
        { id, stream: 'data', data: Buffer.from(content, 'latin1').toString('base64') },
        { id, ok: true },
      ];
    case 'list':
      return [
        { id, stream: 'entries', entries: Object.keys(memory.files).map(entryOf) },
        { id, ok: true },
      ];
    case 'stat':
      return [content === undefined ? missing : { id, ok: true, entry: entryOf(String(path)) }];
    case 'remove':
      delete memory.files[String(path)];
      return [content === undefined ? missing : { id, ok: true }];
    case 'cancel':
      return [{ id, ok: false, error: 'cancelled' }];
    default:
      return [];
  }
}

const entryOf = (name: string) => ({ name, kind: 'file', octets: 1, mode: 0o644, modified_ms: 0 });

/** `echo …`, `env`, `fail`, `hang`, `flood`, `mounts`, `disk-read SERIAL`, `disk-write SERIAL TEXT`. */
function exec(
  machine: FakeGuest,
  id: number,
  { argv = [], env }: { argv?: string[]; env?: object },
): object[] {
  const disk = machine.disks.get(argv[1] ?? '');
  const said = (text: string) => ({ id, stream: 'stdout', data: Buffer.from(text).toString('base64') });
  switch (argv[0]) {
    case 'echo':
      return [said(argv.slice(1).join(' ')), { id, ok: true, exit_code: 0 }];
    case 'env':
      return [said(JSON.stringify(env ?? {})), { id, ok: true, exit_code: 0 }];
    case 'mounts':
      return [said(JSON.stringify((machine.memory as Remembered).mounts)), { id, ok: true, exit_code: 0 }];
    case 'disk-read':
      return [said(disk?.read() ?? 'no disk'), { id, ok: true, exit_code: 0 }];
    case 'disk-write':
      return [{ id, ok: true, exit_code: disk?.write(argv[2] ?? '') === true ? 0 : 1 }];
    case 'hang':
      return [];
    case 'flood':
      return Array.from({ length: 9 }, () => said('x'.repeat(32_768)));
    case 'fail':
      return [
        { id, stream: 'stderr', data: Buffer.from('no').toString('base64') },
        { id, ok: true, exit_code: 7 },
      ];
    default:
      return [{ id, ok: false, error: `ENOENT: ${argv[0]}` }];
  }
}
