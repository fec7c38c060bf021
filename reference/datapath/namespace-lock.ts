/**
 * One datapath, or one egress filter, in a network namespace: an abstract unix socket holds the place.
 * Invariant: the kernel frees it with the process, whatever ended it. Its scope is the namespace itself, it
 * needs no capability and leaves no file. A table that nf_tables binds to its owner (NFT_TABLE_F_OWNER) would go
 * with a killed process, and leave the taps that a VMM still holds without rules.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { bind, close, SyscallError, socket } from '#reference/base/syscalls.ts';

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0x80001;

/**
 * The descriptor that holds the place.
 * @param taken the error when another process holds it
 */
export function lockNamespace(name = 'mitos/datapath', taken = datapathTaken): number {
  const fd = socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0);
  const address = Buffer.concat([Uint8Array.of(AF_UNIX, 0, 0), Buffer.from(name)]);
  try {
    bind(fd, address);
    return fd;
  } catch (cause) {
    close(fd);
    if (!(cause instanceof SyscallError) || cause.code !== 'EADDRINUSE') throw cause;
    throw taken(cause);
  }
}

function datapathTaken(cause: unknown): CodedError {
  return new CodedError(
    'datapath-taken',
    'another process is the datapath of this network namespace',
    'end it, or give this one a network namespace of its own',
    { cause },
  );
}
