/**
 * A guest whose agent has failed ends with it: by itself Node waits, when it exits, for threads that wait in the kernel
 * for a host, and as PID 1 a process that exits half keeps the machine alive.
 * Invariant: from the call on, whatever ends this process ends it at once, with the code that it was to have.
 */
import koffi from 'koffi';

const exit = koffi.load('libc.so.6').func('void _exit(int code)');

/** Once. What was written to the console is there already: that is done within the call. */
export function exitAtOnce(): void {
  process.once('exit', (code) => exit(code));
}
