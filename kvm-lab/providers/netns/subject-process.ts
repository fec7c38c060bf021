/**
 * Where a subject's datapath or DNS proxy runs: here a child of this process, which dies with it. The pod's namespace
 * is entered by an order, so that one process serves one pod after the other.
 */
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { BuiltInSubject, DatapathSubject, Engine } from '#properties/subjects/subject.ts';
import { markedEnvironment } from '../../leftovers/owner.ts';
import type { DnsForm } from '../dns-lab.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

export interface SubjectProcess {
  /** In the process numbers of whoever asks; -1 when it did not start. */
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** How it ended, when the kernel has taken everything from it. */
  readonly ended: Promise<string>;
  /** By SIGKILL. */
  kill(): void;
}

/** Words of Node, from the repository's root: the program that is the subject's datapath. */
export function commandOf(subject: DatapathSubject, engine: Engine): string[] {
  const subjects = 'properties/subjects';
  if (subject.startsWith('mutant:'))
    return [`${subjects}/mutant/datapath-main.ts`, subject.slice('mutant:'.length)];
  // The vulnerable one has no other wiring, and the reference's is the same in every engine.
  const main = engine === 'raw-forkd' && subject === 'published' ? 'raw-forkd-main' : 'datapath-main';
  return [`${subjects}/${subject}/${main}.ts`];
}

/** Likewise of its DNS proxy; what it is made with stands in the variables. */
export function dnsCommandOf(
  subject: BuiltInSubject,
  { mutant = null, adapter = 'epoll' }: DnsForm = {},
): { readonly words: readonly string[]; readonly variables: Readonly<Record<string, string>> } {
  const main = `properties/subjects/${subject}/dnsproxy-main.ts`;
  const variables = { HUSKPROOF_DNS_IO: adapter };
  if (mutant === null) return { words: [main], variables };
  return {
    words: ['--import', './properties/matrix/plant-in-process.ts', main],
    variables: { ...variables, HUSKPROOF_MUTANT: mutant },
  };
}

export const startDatapath = (subject: DatapathSubject, engine: Engine): SubjectProcess =>
  startChild(commandOf(subject, engine), {});

export function startDnsProxyOf(subject: BuiltInSubject, form: DnsForm = {}): SubjectProcess {
  const { words, variables } = dnsCommandOf(subject, form);
  return startChild(words, variables);
}

function startChild(words: readonly string[], variables: Readonly<Record<string, string>>): SubjectProcess {
  const child = spawn(process.execPath, words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: root,
    env: { ...markedEnvironment(), ...variables },
  });
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(`exit ${code ?? signal}`));
  });
  return {
    pid: child.pid ?? -1,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    ended,
    kill: () => void child.kill('SIGKILL'),
  };
}
