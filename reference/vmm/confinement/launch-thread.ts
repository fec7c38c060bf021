/**
 * The thread that starts VMMs: it gives up, for good, what a VMM shall not have, and whatever it starts has the same.
 * Invariant: nothing is started before the thread is confined. A process that it started dies with it (`setpriv
 * --pdeathsig`), and so with this process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';
import { startProgram } from '#reference/base/started-program.ts';
import { closeOnExec, prctl, setns } from '#reference/base/syscalls.ts';
import type { LaunchGround, LaunchOrder, LaunchReport } from './confined-launcher.ts';
import { restrictThread } from './landlock.ts';
import { deniedCalls } from './seccomp.ts';

const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const CLONE_NEWNET = 0x40000000;

/**
 * A VMM touches 10 MiB of heap while it starts, and each page is a fault: in huge pages of one heap half of all faults
 * are gone (4 ms of QEMU's 26), for 8 MiB more that it holds. Who does not know the words does without.
 */
const environment = ['GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1'];

function confine({ paths, networkFd }: LaunchGround): void {
  // Of this thread, and so of what it starts; nobody can leave it again.
  if (networkFd !== null) setns(networkFd, CLONE_NEWNET);
  prctl(PR_SET_NO_NEW_PRIVS, 1);
  restrictThread(paths);
  const program = deniedCalls(paths.sockets !== undefined);
  // struct sock_fprog
  const header = Buffer.alloc(16);
  header.writeUInt16LE(program.length / 8, 0);
  header.writeBigUInt64LE(BigInt(koffi.address(program)), 8);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header);
}

function launch({ id, argv, fds, folder }: LaunchOrder): LaunchReport {
  // What this process inherited, or a library opened, is not the VMM's.
  closeOnExec(3);
  try {
    return { kind: 'started', id, pid: startProgram({ argv, environment, fds, folder }) };
  } catch (error) {
    return { kind: 'failed', id, reason: error instanceof Error ? error.message : String(error) };
  }
}

const port = parentPort;
if (port === null) throw new Error('a thread of confined-launcher.ts, and nothing by itself');
confine(workerData as LaunchGround);
port.on('message', (order: LaunchOrder) => port.postMessage(launch(order)));
port.postMessage({ kind: 'confined' } satisfies LaunchReport);
