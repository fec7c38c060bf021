/** What a hostile agent does to the kernel that it is PID 1 of. */
import { closeSync, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import koffi from 'koffi';
import { SyscallError } from '#reference/base/syscalls.ts';

const libc = koffi.load('libc.so.6');
const calls = {
  reboot: libc.func('int reboot(unsigned int how)'),
  _exit: libc.func('void _exit(int code)'),
  dup2: libc.func('int dup2(int from, int to)'),
  capget: libc.func('int capget(void *header, void *data)'),
  capset: libc.func('int capset(void *header, void *data)'),
};

function checked(name: keyof typeof calls, ...parameters: unknown[]): void {
  if (Number(calls[name](...parameters)) < 0) throw new SyscallError(name, koffi.errno());
}

/** linux/reboot.h */
const ways = { restart: 0x01234567, halt: 0xcdef0123, 'power off': 0x4321fedc } as const;

export function reboot(how: keyof typeof ways): void {
  checked('reboot', ways[how]);
}

export function crashKernel(): void {
  writeFileSync('/proc/sysrq-trigger', 'c');
}

/** Node's own exit waits for its threads, which wait for the host. */
export function exitAtOnce(): void {
  calls._exit(0);
}

/** Version 3 of the header, this thread; two words each of effective, permitted, inheritable. */
const version3 = 0x20080522;
const CAP_SYS_ADMIN = 21;

/** Of the thread that the agent runs on, for ever. */
export function loseSysAdmin(): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(version3, 0);
  const sets = Buffer.alloc(24);
  checked('capget', header, sets);
  for (const at of [0, 4, 8]) {
    sets.writeUInt32LE((sets.readUInt32LE(at) & ~(1 << CAP_SYS_ADMIN)) >>> 0, at);
  }
  checked('capset', header, sets);
}

/** Whatever this process has open of the random device is /dev/null from now on. */
export function swapRandomDevice(): void {
  const nothing = openSync('/dev/null', 'r+');
  for (const fd of readdirSync('/proc/self/fd')) {
    if (/^\/dev\/u?random$/.test(linkOf(fd))) checked('dup2', nothing, Number(fd));
  }
  closeSync(nothing);
}

/** Empty: the descriptor that listed them is gone. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
