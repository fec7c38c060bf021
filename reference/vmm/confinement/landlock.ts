/**
 * What a thread, and all that it starts, may open from now on (Landlock, linux/landlock.h).
 * Invariant: what is not listed cannot be opened by path, made or removed; no TCP port is bound or connected, and
 * nobody outside is signalled or reached over an abstract socket, where the kernel can forbid it.
 */
import { fstatSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import {
  close,
  landlockAddRule,
  landlockCreateRuleset,
  landlockRestrictSelf,
  open,
  SyscallError,
} from '#reference/base/syscalls.ts';

/** Paths that are there; directories with all below them. */
export interface OpenPaths {
  /** Files that may be run. */
  readonly programs: readonly string[];
  readonly readable: readonly string[];
  /** Files, devices among them. */
  readonly writable: readonly string[];
  /** Folders in which it may make local sockets, and remove them; with none it may make no socket at all. */
  readonly sockets?: readonly string[];
}

const CREATE_RULESET_VERSION = 1;
const RULE_PATH_BENEATH = 1;
const O_PATH_CLOEXEC = 0x280000;

const EXECUTE = 1n;
const WRITE_FILE = 2n;
const READ_FILE = 4n;
const READ_DIR = 8n;
const REMOVE_FILE = 1n << 5n;
const MAKE_SOCK = 1n << 9n;
const IOCTL_DEV = 1n << 15n;
/** All rights on files that each version of the interface knows; the last one stands for all later. */
const fileRights = [0n, 0x1fffn, 0x3fffn, 0x7fffn, 0x7fffn, 0xffffn];
const networkSince = 4;
const scopeSince = 6;
/** BIND_TCP and CONNECT_TCP; ABSTRACT_UNIX_SOCKET and SIGNAL. */
const everyNetworkRight = 3n;
const everyScope = 3n;

/** Version of the kernel's interface. @throws CodedError `no-landlock` */
export function landlockVersion(ask = landlockCreateRuleset): number {
  try {
    return ask(null, CREATE_RULESET_VERSION);
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    throw new CodedError(
      'no-landlock',
      `this kernel has no Landlock (${cause.code}), and a VMM is not started without`,
      'take a kernel with CONFIG_SECURITY_LANDLOCK, and landlock among the lsm= of its command line',
      { cause },
    );
  }
}

/** The calling thread, which has no_new_privs already, for good. @throws CodedError `no-landlock` */
export function restrictThread(paths: OpenPaths): void {
  const version = landlockVersion();
  const onFiles = fileRights[Math.min(version, fileRights.length - 1)] as bigint;
  const attributes = [onFiles];
  if (version >= networkSince) attributes.push(everyNetworkRight);
  if (version >= scopeSince) attributes.push(everyScope);
  const ruleset = landlockCreateRuleset(Buffer.from(BigUint64Array.from(attributes).buffer));
  try {
    const allow = (path: string, rights: bigint) => allowBeneath(ruleset, path, rights & onFiles);
    for (const path of paths.programs) allow(path, EXECUTE | READ_FILE);
    for (const path of paths.readable) allow(path, READ_FILE | READ_DIR);
    for (const path of paths.writable) allow(path, READ_FILE | WRITE_FILE | IOCTL_DEV);
    for (const path of paths.sockets ?? []) allow(path, MAKE_SOCK | REMOVE_FILE);
    landlockRestrictSelf(ruleset);
  } finally {
    close(ruleset);
  }
}

/** struct landlock_path_beneath_attr, which is packed. */
function allowBeneath(ruleset: number, path: string, rights: bigint): void {
  const fd = open(path, O_PATH_CLOEXEC);
  try {
    const rule = Buffer.alloc(12);
    rule.writeBigUInt64LE(fstatSync(fd).isDirectory() ? rights : rights & ~READ_DIR, 0);
    rule.writeInt32LE(fd, 8);
    landlockAddRule(ruleset, RULE_PATH_BENEATH, rule);
  } finally {
    close(fd);
  }
}
