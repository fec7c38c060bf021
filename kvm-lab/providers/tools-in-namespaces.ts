/**
 * Runs a script of ours with somebody else's programs in network, mount and process namespaces of its own.
 * Invariant: every process that it starts ends with it, and it ends in time.
 */
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, readlinkSync } from 'node:fs';
import { delimiter } from 'node:path';
import { markedEnvironment } from '../leftovers/owner.ts';

export interface Lack {
  readonly reason: string;
  readonly remedy: string;
}

const probeTimeoutMs = 30_000;

/** What this machine lacks for the programs, by the packages that bring them; null: nothing. */
export function lackOf(programs: Readonly<Record<string, string>>): Lack | null {
  if (process.getuid?.() !== 0) {
    return { reason: 'these tools want to be root', remedy: 'run as root; a namespace of their own is made' };
  }
  const needed = {
    ...programs,
    unshare: 'util-linux',
    nft: 'nftables',
    ip: 'iproute2',
    'dpkg-query': 'dpkg',
  };
  const missing = Object.entries(needed).filter(([program]) => !isThere(program));
  if (missing.length > 0) {
    return {
      reason: `no ${missing.map(([program]) => program).join(', ')} here`,
      remedy: `apt-get install -y ${[...new Set(missing.map(([, one]) => one))].join(' ')}`,
    };
  }
  try {
    execFileSync('unshare', ['-n', '-m', 'true'], { timeout: probeTimeoutMs, stdio: 'pipe' });
    return null;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { reason: 'no namespaces can be made here', remedy: 'run where unshare -n -m works' };
  }
}

function isThere(program: string): boolean {
  const paths = program.startsWith('/')
    ? [program]
    : [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'].map((folder) => `${folder}/${program}`);
  return paths.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return false;
    }
  });
}

/** Where the script writes its result. */
export const outputDescriptor = 3;

export type ScriptResult =
  | { readonly outcome: 'done'; readonly text: string }
  | { readonly outcome: 'failed'; readonly reason: string };

/** The script is told the namespaces of the host last, so that it can refuse them. */
export function runInNamespaces(
  script: string,
  words: readonly string[],
  timeoutMs: number,
): Promise<ScriptResult> {
  const all = [
    ...['-n', '-m', '-p', '-f', '--mount-proc', '--kill-child', process.execPath, script, ...words],
    ...[readlinkSync('/proc/self/ns/net'), readlinkSync('/proc/self/ns/mnt')],
  ];
  const child = spawn('unshare', all, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    env: markedEnvironment(),
  });
  return new Promise((resolve, reject) => {
    let text = '';
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (more: string) => {
      said = `${said}${more}`.slice(-4_000);
    });
    const output = child.stdio[outputDescriptor];
    if (output === null || output === undefined || !('setEncoding' in output)) {
      reject(new Error('no descriptor for the result'));
      return;
    }
    output.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0 && text !== '') resolve({ outcome: 'done', text });
      else {
        const reason = said.trim() === '' ? `ended with ${code ?? 'a signal'}` : said.trim();
        resolve({ outcome: 'failed', reason });
      }
    });
  });
}

/** `package version` of an installed Debian package. */
export function debianVersion(name: string): string {
  const text = execFileSync('dpkg-query', ['-W', name], { encoding: 'utf8', timeout: probeTimeoutMs });
  return text.trim().replace('\t', ' ');
}
