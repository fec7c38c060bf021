/**
 * A husk's end of the node socket: a connection to forkd, and to nobody else.
 * Invariant: the kernel says that the listener is the user that forkd runs as, or nothing is sent.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { close, SyscallError } from '#reference/base/syscalls.ts';
import { connectUnix, peerOf } from '#reference/base/unix-socket.ts';
import { type NodeAnswer, nodeProtocolVersion } from '#reference/contract/node-protocol.ts';

export interface NodeAddress {
  readonly path: string;
  /** Of forkd. */
  readonly uid: number;
}

/** @returns a descriptor, the caller's. @throws CodedError `node-unreachable` */
export function connectNode({ path, uid }: NodeAddress): number {
  let fd: number;
  try {
    fd = connectUnix(path);
  } catch (cause) {
    if (cause instanceof SyscallError) throw unreachable(`${path} cannot be connected to`, cause);
    throw cause;
  }
  const listener = peerOf(fd);
  if (listener.uid === uid) return fd;
  close(fd);
  throw unreachable(`${path} is uid ${listener.uid}’s, and forkd is uid ${uid}`);
}

export function unreachable(what: string, cause?: unknown): CodedError {
  return new CodedError(
    'node-unreachable',
    `forkd of this node is not to be asked: ${what}`,
    'see that forkd runs, with --node-socket and the uid and gid of this husk; until then its forks are refused',
    { cause },
  );
}

type Granted = Exclude<NodeAnswer, { readonly ok: false }>;

/** @throws CodedError as forkd says it, `node-unreachable` when it is no answer */
export function grantedIn(text: string): Granted {
  let answer: Partial<Record<string, unknown>> | null;
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch (cause) {
    throw unreachable('it answered with what is no JSON', cause);
  }
  if (typeof answer !== 'object' || answer === null || answer.v !== nodeProtocolVersion) {
    throw unreachable(`it does not speak version ${nodeProtocolVersion}`);
  }
  if (answer.ok === true) return answer as Granted;
  const { code, message, remedy } = answer;
  const words = [code, message, remedy];
  if (answer.ok !== false || !words.every((word) => typeof word === 'string' && word.length <= 1_024)) {
    throw unreachable('it answered with what is no answer');
  }
  throw new CodedError(String(code), String(message), String(remedy));
}
