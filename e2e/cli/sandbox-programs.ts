/** What the verbs that run a program in a sandbox have in common: its bounds, what it reads and says, how it ends. */
import type { Command } from 'commander';
import type { RequestEnd } from '#reference/contract/fork-engine-port.ts';
import type { ExecRequest } from '#reference/contract/guest-protocol.ts';
import type { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { parseInteger } from './parse-values.ts';

export interface ProgramFlags {
  readonly timeout: number;
  readonly stdin?: true;
  readonly maxProcesses?: number;
  readonly maxMemory?: number;
}

export function addProgramOptions(command: Command): Command {
  return command
    .option(
      '--timeout <seconds>',
      'then it is killed, with exit code 124',
      (text) => parseInteger('--timeout', text, 1, 3_600),
      60,
    )
    .option('--stdin', 'pass on what comes on stdin, up to its end')
    .option(
      '--max-processes <n>',
      'it and all that it starts, threads included, at once; else a quarter of what the guest can have',
      (text) => parseInteger('--max-processes', text, 1, 1 << 22),
    )
    .option(
      '--max-memory <MiB>',
      'it and all that it starts; beyond it all of it is killed; else nearly what the guest has',
      (text) => parseInteger('--max-memory', text, 1, 3_072),
    );
}

const maxOutputOctets = 1 << 30;
/** What a request of the server may hold. */
const maxInputOctets = 512 << 10;
const mebi = 1 << 20;

export function execRequest(
  argv: readonly string[],
  { timeout, maxProcesses, maxMemory, stdin }: ProgramFlags,
): ExecRequest {
  return {
    ...{ argv, timeout_ms: timeout * 1_000, max_output_octets: maxOutputOctets },
    ...(maxProcesses === undefined ? {} : { max_processes: maxProcesses }),
    ...(maxMemory === undefined ? {} : { max_memory_octets: maxMemory * mebi }),
    ...(stdin === true ? { stdin: true } : {}),
  };
}

/** Writes what it says as it comes. */
export async function runOnServer(
  client: SandboxClient,
  id: string,
  argv: readonly string[],
  flags: ProgramFlags,
): Promise<RequestEnd> {
  const { timeout, maxProcesses, maxMemory } = flags;
  const stdin = await pipedIn(flags);
  const body = {
    ...{ argv: [...argv], timeoutMs: timeout * 1_000, maxOutputOctets },
    ...(maxProcesses === undefined ? {} : { maxProcesses }),
    ...(maxMemory === undefined ? {} : { maxMemoryOctets: maxMemory * mebi }),
    ...(stdin === null ? {} : { stdin: stdin.toString('base64') }),
  };
  for await (const event of client.exec(id, body)) {
    if ('end' in event) return event.end;
    await write(event.stream, event.octets);
  }
  return { ok: false, error: 'the server ended it' };
}

/** null: nothing is passed on. */
export async function pipedIn({ stdin }: ProgramFlags): Promise<Buffer | null> {
  if (stdin !== true) return null;
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of process.stdin) {
    octets += (chunk as Buffer).length;
    if (octets > maxInputOctets) throw new RangeError(`more than ${maxInputOctets} octets on stdin`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

export function write(stream: 'stdout' | 'stderr', octets: Uint8Array): Promise<void> {
  return new Promise((resolve) => process[stream].write(octets, () => resolve()));
}

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};
const timedOut = 124;
/** As a shell says of what it cannot run. */
const notStarted = 127;

/** Says on stderr why it did not end by itself. @returns the exit code for it */
export function told(end: RequestEnd): number {
  const { exit_code: code, signal, timed_out: isLate, truncated, error } = end;
  const say = (what: string) =>
    void process.stderr.write(`huskproof: ${what.replace(/[^\x20-\x7e]/g, '?')}\n`);
  if (error !== undefined)
    say(error.endsWith('ENOENT') ? `${error}: the guest has none of that name` : error);
  else if (isLate === true) say('its time was over (--timeout); it was killed');
  else if (truncated === true) say(`it said more than ${maxOutputOctets} octets; it was killed`);
  else if (signal !== undefined)
    say(`it was ended by ${signal}${signal === 'SIGKILL' ? ': out of memory, if nobody sent it' : ''}`);
  if (isLate === true) return timedOut;
  if (code !== undefined) return code;
  return signal === undefined ? notStarted : 128 + (signalNumbers[signal] ?? 0);
}
