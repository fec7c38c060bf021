/**
 * Programs that a thread starts with what it has given up itself, by posix_spawn(3): Node's own way copies the page
 * tables of this process for each, 10 ms of a large one.
 * Invariant: a program has the descriptors and the environment that it was given, no signal blocked or ignored, and
 * nothing else; who waits for its end is told once, and then its pid is nobody's.
 */
import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import koffi from 'koffi';
import { close, fcntl, SyscallError, takeEnded } from './syscalls.ts';

const libc = koffi.load('libc.so.6');
const spawnCalls = {
  spawn: libc.func(
    'int posix_spawn(void *pid, const char *path, const void *actions, const void *attributes, const char **argv, const char **envp)',
  ),
  initActions: libc.func('int posix_spawn_file_actions_init(void *actions)'),
  destroyActions: libc.func('int posix_spawn_file_actions_destroy(void *actions)'),
  addDup: libc.func('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)'),
  addFolder: libc.func('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)'),
  initAttributes: libc.func('int posix_spawnattr_init(void *attributes)'),
  destroyAttributes: libc.func('int posix_spawnattr_destroy(void *attributes)'),
  setFlags: libc.func('int posix_spawnattr_setflags(void *attributes, short flags)'),
  setDefaults: libc.func('int posix_spawnattr_setsigdefault(void *attributes, const void *signals)'),
  setMask: libc.func('int posix_spawnattr_setsigmask(void *attributes, const void *signals)'),
};
const POSIX_SPAWN_SETSIGDEF = 4;
const POSIX_SPAWN_SETSIGMASK = 8;
const F_DUPFD_CLOEXEC = 1030;
/** More than either structure takes, and than a sigset_t. */
const structureWords = 64;
const everySignal = new BigUint64Array(16).fill(0xffff_ffff_ffff_ffffn);
const noSignal = new BigUint64Array(16);

export interface StartedProgram {
  /** Absolute path of the program, and its arguments. */
  readonly argv: readonly string[];
  /** NAME=value. */
  readonly environment: readonly string[];
  /** Its descriptors 0, 1, 2 …; they stay the caller's. */
  readonly fds: readonly number[];
  readonly folder: string;
}

/** A call that answers with the errno. @throws SyscallError */
function done(call: string, errno: unknown): void {
  if (errno !== 0) throw new SyscallError(call, Number(errno));
}

/** A child of the calling thread, of its credentials and filters. @returns its pid. @throws SyscallError */
export function startProgram({ argv, environment, fds, folder }: StartedProgram): number {
  const [path = ''] = argv;
  const actions = new BigUint64Array(structureWords);
  const attributes = new BigUint64Array(structureWords);
  const moved: number[] = [];
  done('posix_spawn_file_actions_init', spawnCalls.initActions(actions));
  done('posix_spawnattr_init', spawnCalls.initAttributes(attributes));
  try {
    for (const [to, fd] of fds.entries()) {
      // One that lies where another shall be would be overwritten before its turn.
      const isInTheWay = fd < fds.length;
      const from = isInTheWay ? fcntl(fd, F_DUPFD_CLOEXEC, fds.length) : fd;
      if (isInTheWay) moved.push(from);
      done('posix_spawn_file_actions_adddup2', spawnCalls.addDup(actions, from, to));
    }
    done('posix_spawn_file_actions_addchdir_np', spawnCalls.addFolder(actions, folder));
    done('posix_spawnattr_setsigdefault', spawnCalls.setDefaults(attributes, everySignal));
    done('posix_spawnattr_setsigmask', spawnCalls.setMask(attributes, noSignal));
    done(
      'posix_spawnattr_setflags',
      spawnCalls.setFlags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK),
    );
    const pid = new Int32Array(1);
    const [words, variables] = [
      [...argv, null],
      [...environment, null],
    ];
    done('posix_spawn', spawnCalls.spawn(pid, path, actions, attributes, words, variables));
    return pid[0] as number;
  } finally {
    for (const fd of moved) close(fd);
    spawnCalls.destroyActions(actions);
    spawnCalls.destroyAttributes(attributes);
  }
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

const awaited = new Map<number, (end: ProgramEnd) => void>();
const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/**
 * Of a child that `startProgram` started, on any thread of this process; its pid is its own until then. Asked once,
 * and on the main thread, which alone hears signals. Keeps no process alive.
 */
export function programEnd(pid: number): Promise<ProgramEnd> {
  if (!isMainThread || awaited.has(pid))
    throw new Error('the end of a program is for one, on the main thread');
  return new Promise((resolve) => {
    if (awaited.size === 0) process.on('SIGCHLD', takeAllEnded);
    awaited.set(pid, resolve);
    // It may have ended before anybody listened.
    takeIfEnded(pid);
  });
}

/** A signal stands for any number of children. */
function takeAllEnded(): void {
  for (const pid of [...awaited.keys()]) takeIfEnded(pid);
}

function takeIfEnded(pid: number): void {
  const status = takeEnded(pid);
  if (status === null) return;
  const tell = awaited.get(pid);
  awaited.delete(pid);
  if (awaited.size === 0) process.removeListener('SIGCHLD', takeAllEnded);
  const signal = status & 0x7f;
  tell?.(
    signal === 0
      ? { code: (status >> 8) & 0xff, signal: null }
      : { code: null, signal: signalNames.get(signal) ?? `signal ${signal}` },
  );
}
