/**
 * The agent for real, as PID 1 of namespaces of its own: its process, and both channels as a host has them.
 * Invariant: what it writes below /etc and /run is its own; when it is stopped, nothing of it is left.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main/guest-agent.ts', import.meta.url));
const startDeadlineMs = 30_000;
const answerDeadlineMs = 20_000;

/** /etc is a copy: the agent names itself in it. */
const script = `
echo $$ > "$CGROUP/cgroup.procs" &&
exec unshare --pid --fork --kill-child --mount --uts --net --ipc --cgroup sh -ec '
  mount -t proc proc /proc
  mount -t tmpfs run /run
  cp -a /etc /run/etc
  mount --bind /run/etc /etc
  mkdir /run/host
  mount --bind "$HOST" /run/host
  exec "$NODE" --expose-gc "$MAIN" --control /run/host/control --services /run/host/services'
`;

/** One of the agent's channels; answers come in order. */
export class HostEnd {
  readonly #socket: Socket;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string) => void)[] = [];
  #held = '';

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text) => this.#take(String(text)));
  }

  static open(path: string): Promise<HostEnd> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('connect', () => resolve(new HostEnd(socket))).once('error', reject);
    });
  }

  #take(text: string): void {
    const lines = `${this.#held}${text}`.split('\n');
    this.#held = lines.pop() ?? '';
    for (const line of lines) {
      const first = this.#waiting.shift();
      if (first === undefined) this.#lines.push(line);
      else first(line);
    }
  }

  write(octets: string | Buffer): void {
    this.#socket.write(octets);
  }

  send(...messages: object[]): void {
    for (const message of messages) this.write(`${JSON.stringify(message)}\n`);
  }

  async next(): Promise<Record<string, unknown>> {
    const line = this.#lines.shift() ?? (await this.#later());
    return JSON.parse(line) as Record<string, unknown>;
  }

  async #later(): Promise<string> {
    const heard = new Promise<string>((resolve) => this.#waiting.push(resolve));
    const silence = wait(answerDeadlineMs, null, { ref: false });
    const line = await Promise.race([heard, silence]);
    if (line === null) throw new Error('the agent did not answer');
    return line;
  }

  ask(message: object): Promise<Record<string, unknown>> {
    this.send(message);
    return this.next();
  }

  /** Told once nothing can be said on it any more. */
  closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.once('close', () => resolve());
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

export class AgentInNamespaces {
  readonly folder: string;
  readonly #cgroups: string;
  readonly #cgroup: string;
  readonly #process: ChildProcess;
  #said = '';

  private constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'guest-agent-'));
    this.#cgroups = join(this.folder, 'cgroups');
    mkdirSync(this.#cgroups);
    execFileSync('mount', ['-t', 'cgroup2', 'cgroup2', this.#cgroups]);
    this.#cgroup = join(this.#cgroups, `guest-agent-${process.pid}`);
    mkdirSync(this.#cgroup);
    const host = join(this.folder, 'host');
    mkdirSync(host);
    this.#process = spawn('sh', ['-c', script], {
      env: { ...process.env, CGROUP: this.#cgroup, HOST: host, NODE: process.execPath, MAIN: main },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process.stderr?.on('data', (text) => {
      this.#said = `${this.#said}${text}`.slice(-16_384);
    });
  }

  static async start(): Promise<AgentInNamespaces> {
    const agent = new AgentInNamespaces();
    const end = performance.now() + startDeadlineMs;
    while (!existsSync(join(agent.folder, 'host', 'services'))) {
      if (performance.now() > end) throw new Error(`the agent did not start: ${agent.said}`);
      await wait(50);
    }
    return agent;
  }

  /** On its console. */
  get said(): string {
    return this.#said;
  }

  channel(name: 'control' | 'services'): Promise<HostEnd> {
    return HostEnd.open(join(this.folder, 'host', name));
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGKILL');
      await ended;
    }
    await this.#emptied();
    removeCgroup(this.#cgroup);
    execFileSync('umount', [this.#cgroups]);
    rmSync(this.folder, { recursive: true });
  }

  /** The kernel ends what was in its PID namespace a moment after PID 1. */
  async #emptied(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      const isIn = execFileSync('cat', [join(this.#cgroup, 'cgroup.events')], { encoding: 'utf8' });
      if (isIn.includes('populated 0')) return;
      await wait(25);
    }
    throw new Error('processes of the agent are left');
  }
}

function removeCgroup(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(folder, entry.name));
  }
  rmdirSync(folder);
}
