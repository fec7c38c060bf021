/**
 * The agent of findings.md F6 as PID 1 of a VM: what `agent-step` and `reseed-report` of a subject decide, done with
 * the kernel's own calls; exec is served as it is asked. Nothing of the process itself is renewed.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { release } from 'node:os';
import koffi from 'koffi';
import type { agentStep } from '../../protocol/agent-step.ts';
import type { Bound, InputOf, OutputOf } from '../../protocol/decision.ts';
import { answerLab, isLabRequest } from '../guest-lab.ts';
import { type Send, serveLines } from './guest-channel.ts';

type Action = OutputOf<typeof agentStep>['actions'][number];
type Event = InputOf<typeof agentStep>['event'];
type Called = Extract<Event, { kind: 'called' }>['result'];
type Message = Record<string, unknown>;

const RNDADDENTROPY = 0x40085203;
const chunkOctets = 32_768;
const errnos: Readonly<Record<number, string>> = { 1: 'EPERM', 22: 'EINVAL', 25: 'ENOTTY' };

const libc = koffi.load('libc.so.6');
const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *argument)');

const mounts = [
  ['proc', '/proc'],
  ['sysfs', '/sys'],
  ['devtmpfs', '/dev'],
  ['tmpfs', '/run'],
  ['tmpfs', '/tmp'],
] as const;

function mountAll(): void {
  for (const [kind, path] of mounts) {
    const mounted = existsSync('/proc/self/mounts') ? readFileSync('/proc/self/mounts', 'latin1') : '';
    if (mounted.includes(` ${path} ${kind} `)) continue;
    mkdirSync(path, { recursive: true });
    execFileSync('/bin/busybox', ['mount', '-t', kind, kind, path]);
  }
}

function facts(): Message {
  const symbol = /^([0-9a-f]{16}) \w base_crng$/m.exec(readFileSync('/proc/kallsyms', 'latin1'))?.[1];
  return { ok: true, node: process.version, kernel_release: release(), generator_symbol: symbol ?? null };
}

export function runAgent(name: string, step: Bound<typeof agentStep>): void {
  mountAll();
  const device = openSync('/dev/random', 'r+');
  let state: unknown = null;

  const call = (asked: Extract<Action, { kind: 'call' }>['call']): Called => {
    if (asked.call === 'RNDADDENTROPY') {
      const info = Buffer.alloc(8 + asked.octets.length / 2);
      info.writeInt32LE(asked.entropyBits, 0);
      info.writeInt32LE(asked.octets.length / 2, 4);
      info.write(asked.octets, 8, 'hex');
      const ret = Number(ioctl(device, RNDADDENTROPY, info));
      const errno = koffi.errno();
      return { call: asked.call, ret, errno: ret < 0 ? (errnos[errno] ?? `errno ${errno}`) : null };
    }
    if (asked.call === 'write-urandom') {
      return { call: asked.call, ret: writeSync(device, Buffer.from(asked.octets, 'hex')), errno: null };
    }
    throw new Error(`${asked.call} is none of this agent's calls`);
  };

  /** Every event that follows from one; what is replied to whoever asked. */
  const decide = (first: Event): { reply: object | null; isServed: boolean } => {
    const events: Event[] = [first];
    let reply: object | null = null;
    let isServed = false;
    for (let event = events.shift(); event !== undefined; event = events.shift()) {
      const { state: next, actions } = step({ state, event });
      state = next;
      for (const action of actions) {
        if (action.kind === 'reply') reply = action.body;
        if (action.kind === 'serve') isServed = true;
        if (action.kind === 'signal') signalAll();
        if (action.kind === 'call') {
          events.push({ kind: 'called', generation: action.generation, result: call(action.call) });
        }
      }
    }
    return { reply, isServed };
  };

  void serveLines('mitos.control', async (message, send) => {
    const { method, ...rest } = message;
    if (method === 'ping') return send({ ok: true, agent: name, versions: [1], phase: '', generation: 0 });
    if (method === 'facts') return send(facts());
    if (method === 'init') return send(runInit(rest));
    if (method === 'prepare_snapshot') return send(decide({ kind: 'prepare-snapshot' }).reply ?? {});
    if (method !== 'notify_forked') return send({ ok: false, error: 'not known to this agent' });
    const { version, generation, nonce, seed, host_wall_clock_nanos } = rest;
    const request = { version, generation, nonce, seed, host_wall_clock_nanos };
    const { reply } = decide({ kind: 'notify-forked', request } as Event);
    send(reply ?? { ok: false, reseeded_rng: false });
  });
  void serveLines('mitos.services', async (message, send) => {
    if (isLabRequest(message)) return send(answerLab(message));
    if (message.method === 'ack') return;
    const { isServed } = decide({ kind: 'request', service: 'exec' });
    if (isServed && message.method === 'exec') runExec(message, send);
    else send({ id: message.id, ok: false, error: 'not served' });
  });
}

function environmentOf({ env }: Message): NodeJS.ProcessEnv {
  return { PATH: '/bin', ...(env as Record<string, string> | undefined) };
}

function runInit(message: Message): Message {
  const [program = '', ...words] = message.argv as string[];
  const options = { env: environmentOf(message), stdio: 'ignore' } as const;
  if (message.background === true) {
    return { ok: true, pid: spawn(program, words, { ...options, detached: true }).pid };
  }
  execFileSync(program, words, options);
  return { ok: true, exit_code: 0 };
}

function runExec(message: Message, send: Send): void {
  const { id } = message;
  const [program = '', ...words] = message.argv as string[];
  const timeout = Number(message.timeout_ms);
  const child = spawn(program, words, { env: environmentOf(message), timeout, killSignal: 'SIGKILL' });
  child.stdin.end();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (octets: Buffer) => {
      for (let at = 0; at < octets.length; at += chunkOctets) {
        send({ id, stream, data: octets.subarray(at, at + chunkOctets).toString('base64') });
      }
    });
  }
  child.on('error', () => send({ id, ok: false, error: 'it could not be started' }));
  child.on('close', (code, signal) => {
    if (child.pid === undefined) return;
    send({ id, ok: true, ...(code === null ? { signal } : { exit_code: code }) });
  });
}

/** SIGUSR2 to every process that catches it. */
function signalAll(): void {
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && entry !== '1')) {
    try {
      const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
      if ((BigInt(`0x${caught ?? '0'}`) & (1n << 11n)) !== 0n) process.kill(Number(pid), 'SIGUSR2');
    } catch (error) {
      // It has ended since.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}
