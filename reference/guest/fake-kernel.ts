/**
 * The kernel's side of a guest for tests: says what was asked of it, in order, and fails where it is told to.
 * Invariant: nothing of the machine is touched.
 */
import { SyscallError } from '#reference/base/syscalls.ts';
import { Agent, type AgentParts } from './agent.ts';
import { Generators } from './generators.ts';
import type { ForkFiles } from './guest-files.ts';
import type { UserProcess } from './processes.ts';
import type { SystemCalls } from './system-calls.ts';
import type { Workload } from './workload.ts';

const EPERM = 1;

export class FakeKernel {
  /** What was done, in order. */
  readonly done: string[] = [];
  /** What fails, by its name in `done`. */
  readonly failing = new Map<string, number>();
  others: readonly UserProcess[] = [];
  freezes = true;
  inFlight = 0;
  /** Why volumes cannot be taken off. */
  usedVolume: string | null = null;

  #do(name: string): void {
    this.done.push(name);
    const errno = this.failing.get(name);
    if (errno !== undefined) throw new SyscallError(name, errno);
  }

  /** As of a process without CAP_SYS_ADMIN. */
  deny(name: string): void {
    this.failing.set(name, EPERM);
  }

  readonly calls: SystemCalls = {
    open: () => 3,
    ioctl: (_, request, argument) => {
      if (request === 0x5207) this.#do('RNDRESEEDCRNG');
      else if (request === 0x40085203) this.#do(`RNDADDENTROPY ${Buffer.from(argument).readInt32LE(0)} bits`);
      else this.#do(`ioctl ${request}`);
      return 0;
    },
    getrandom: (into) => {
      this.#do('getrandom');
      into.fill(7);
      return into.length;
    },
    randPoll: () => this.#do('RAND_poll'),
    clockSettime: () => this.#do('clock_settime'),
    sethostname: (name) => this.#do(`sethostname ${name}`),
    mount: (_, target) => this.#do(`mount ${target}`),
    umount: (target) => this.#do(`umount ${target}`),
    peekEnded: () => null,
    reap: () => undefined,
  };

  readonly files: Pick<ForkFiles, 'hold' | 'write'> = {
    hold: () => this.#do('hold files'),
    write: (name) => this.#do(`write ${name}`),
  };

  readonly workload: Workload = {
    group: () => ({
      startInside: (start) => start(),
      kill: () => this.#do('kill'),
      emptied: async () => true,
      close: () => undefined,
    }),
    freeze: async () => {
      this.#do('freeze');
      return this.freezes;
    },
    thaw: () => this.#do('thaw'),
    answering: async () => [],
    others: () => this.others,
    signalThoseThatCatch: () => {
      this.#do('SIGUSR2');
      return 2;
    },
  };

  agent(more: Partial<AgentParts> = {}): Agent {
    const generators = new Generators(this.calls);
    return new Agent({
      generators,
      repair: {
        calls: this.calls,
        files: this.files,
        generators,
        configureNetwork: ({ address }) => this.#do(`network ${address}`),
        mountVolume: ({ path }) => this.#do(`volume ${path}`),
      },
      workload: this.workload,
      detachVolumes: () => {
        this.#do('detach volumes');
        return this.usedVolume;
      },
      inFlight: () => this.inFlight,
      init: async () => ({ ok: true, exit_code: 0 }),
      facts: () => ({ ok: true, node: '', kernel_release: '', generator_symbol: null }),
      rehearseExec: async () => this.#do('rehearse an exec'),
      rehearseFork: async () => this.#do('rehearse a fork'),
      log: () => undefined,
      ...more,
    });
  }
}
