/**
 * The system calls that a VMM, and what it might start, never makes: a filter for seccomp(2), beside QEMU's own.
 * Invariant: no socket but a local one where that is allowed, no other namespace, no other process's memory or life, no part of the kernel that a guest's
 * devices do not need; another architecture's calls end the process.
 */
import { CodedError } from '#reference/base/coded-error.ts';

/** Numbers on x86_64 and arm64 (asm/unistd.h). */
const denied: Readonly<Record<string, readonly [number, number]>> = {
  ptrace: [101, 117],
  kill: [62, 129],
  tkill: [200, 130],
  rt_sigqueueinfo: [129, 138],
  rt_tgsigqueueinfo: [297, 240],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  userfaultfd: [323, 282],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  shmget: [29, 194],
  msgget: [68, 186],
  semget: [64, 190],
  mq_open: [240, 180],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  personality: [135, 92],
  pidfd_send_signal: [424, 424],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  pidfd_open: [434, 434],
  pidfd_getfd: [438, 438],
  process_madvise: [440, 440],
  mount_setattr: [442, 442],
  process_mrelease: [448, 448],
};

/** Of any family but AF_UNIX, or of every. */
const sockets: Readonly<Record<string, readonly [number, number]>> = {
  socket: [41, 198],
  socketpair: [53, 199],
};
const AF_UNIX = 1;

interface Machine {
  /** AUDIT_ARCH_… (linux/audit.h). */
  readonly audit: number;
  readonly column: 0 | 1;
  readonly clone: number;
}

const machines: Readonly<Record<string, Machine>> = {
  x64: { audit: 0xc000003e, column: 0, clone: 56 },
  arm64: { audit: 0xc00000b7, column: 1, clone: 220 },
};

const clone3 = 435;
/** CLONE_NEWNS … CLONE_NEWNET. */
const newNamespaces = 0x7e020000;
/** Calls of the x32 ABI begin here. */
const x32 = 0x40000000;

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;
const KILL_PROCESS = 0x80000000;
const ALLOW = 0x7fff0000;
const refuse = (errno: number) => 0x50000 | errno;
const EPERM = 1;
const ENOSYS = 38;
/** Offsets in struct seccomp_data. */
const data = { number: 0, architecture: 4, firstArgument: 16 } as const;

type Instruction = readonly [code: number, constant: number, ifTrue?: number, ifFalse?: number];

/**
 * struct sock_filter[]: the program.
 * @param maySpeak with who can open its sockets: local ones may be made
 * @throws CodedError `unsupported-machine`
 */
export function deniedCalls(maySpeak: boolean, arch: string = process.arch): Buffer {
  const machine = machines[arch];
  if (machine === undefined) {
    throw new CodedError(
      'unsupported-machine',
      `the numbers of system calls on ${arch} are not known here`,
      `run it on ${Object.keys(machines).join(' or ')}`,
    );
  }
  const unless = (number: number, errno: number): Instruction[] => [
    [IF_EQUAL, number, 0, 1],
    [RETURN, refuse(errno)],
  ];
  const program: Instruction[] = [
    [LOAD, data.architecture],
    [IF_EQUAL, machine.audit, 1, 0],
    [RETURN, KILL_PROCESS],
    [LOAD, data.number],
    [IF_AT_LEAST, x32, 0, 1],
    [RETURN, KILL_PROCESS],
    ...Object.values(denied).flatMap((numbers) => unless(numbers[machine.column], EPERM)),
    // Its flags lie in memory, where no filter sees them: libc then takes clone, whose flags are looked at.
    ...unless(clone3, ENOSYS),
    ...Object.values(sockets).flatMap((numbers): Instruction[] =>
      maySpeak
        ? [
            [IF_EQUAL, numbers[machine.column], 0, 4],
            [LOAD, data.firstArgument],
            [IF_EQUAL, AF_UNIX, 0, 1],
            [RETURN, ALLOW],
            [RETURN, refuse(EPERM)],
          ]
        : unless(numbers[machine.column], EPERM),
    ),
    [IF_EQUAL, machine.clone, 0, 3],
    [LOAD, data.firstArgument],
    [IF_ANY_BIT, newNamespaces, 0, 1],
    [RETURN, refuse(EPERM)],
    [RETURN, ALLOW],
  ];
  const octets = Buffer.alloc(program.length * 8);
  for (const [index, [code, constant, ifTrue = 0, ifFalse = 0]] of program.entries()) {
    octets.writeUInt16LE(code, index * 8);
    octets.writeUInt8(ifTrue, index * 8 + 2);
    octets.writeUInt8(ifFalse, index * 8 + 3);
    octets.writeUInt32LE(constant, index * 8 + 4);
  }
  return octets;
}
