/** What `pnpm lab status|down|shell` and the lab that runs say to each other: lines of JSON on its unix socket. */
import type { Socket } from 'node:net';
import type { RequestEnd } from '#reference/contract/fork-engine-port.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { LineReader } from '#reference/guest/line-reader.ts';

export type LabRequest =
  | { readonly verb: 'status' }
  | { readonly verb: 'down' }
  /** In a fork of its own. `stdin` and `stdinEnd` follow. */
  | { readonly verb: 'exec'; readonly argv: readonly string[] }
  | { readonly verb: 'stdin'; readonly data: string }
  | { readonly verb: 'stdinEnd' };

export interface LabStatus {
  readonly pid: number;
  readonly kernel: string;
  /** `honest`, or one of the zoo. */
  readonly guest: string;
  readonly accelerator: Accelerator;
  /** How the accelerator was found. */
  readonly reason: string;
  readonly vmm: string;
  readonly memoryMiB: number;
  readonly template: string;
  readonly buildMs: number;
  readonly sinceMs: number;
  readonly sandboxes: number;
}

export type LabReply =
  | { readonly status: LabStatus }
  | { readonly stream: 'stdout' | 'stderr'; readonly data: string }
  | { readonly end: RequestEnd; readonly releasedAfterMs: number }
  | { readonly down: true }
  | { readonly error: { readonly code: string; readonly message: string; readonly remediation: string } };

const maxLineOctets = 1 << 17;

/** Of the folder of a lab. */
export const socketName = 'socket';

/** One after the other. A line that is too long, or no JSON, ends the connection. */
export async function* linesOn<Line>(socket: Socket): AsyncGenerator<Line> {
  const reader = new LineReader(maxLineOctets);
  for await (const chunk of socket) {
    for (const line of reader.push(chunk as Buffer)) {
      if (line === null) throw new RangeError(`a line is longer than ${maxLineOctets} octets`);
      yield JSON.parse(line) as Line;
    }
  }
}

/** Ends when the other side has taken what was written before. */
export function sendLine(socket: Socket, line: LabRequest | LabReply): Promise<void> {
  if (socket.destroyed || socket.write(`${JSON.stringify(line)}\n`)) return Promise.resolve();
  return new Promise((resolve) => {
    const go = () => {
      socket.off('drain', go).off('close', go);
      resolve();
    };
    socket.once('drain', go).once('close', go);
  });
}
