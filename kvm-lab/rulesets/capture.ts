/**
 * Captures the rulesets that tools nobody here wrote install: each tool runs for real, in namespaces of its
 * own. Invariant: the host's network, tables and files stay as they were.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, readlinkSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { markedEnvironment } from '../leftovers/owner.ts';
import { type RulesetTool, run, succeeds } from './ruleset-tool.ts';

const script = fileURLToPath(new URL('capture-run.ts', import.meta.url));
const captureTimeoutMs = 90_000;
const outputDescriptor = 3;

export type Captured =
  | { readonly outcome: 'captured'; readonly text: string }
  | { readonly outcome: 'unsupported' | 'failed'; readonly reason: string; readonly remedy: string };

/** Never throws for what the machine lacks. */
export async function capture(tool: RulesetTool): Promise<Captured> {
  const lacking = lackOf(tool);
  if (lacking !== null) return { outcome: 'unsupported', ...lacking };
  const version = run('dpkg-query', ['-W', tool.debianPackage]).trim().replace('\t', ' ');
  return await inNamespaces(tool, version);
}

function lackOf({ programs }: RulesetTool): { reason: string; remedy: string } | null {
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
  if (!succeeds('unshare', ['-n', '-m', 'true'])) {
    return { reason: 'no namespaces can be made here', remedy: 'run where unshare -n -m works' };
  }
  return null;
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

/** A process namespace too, so that every daemon ends with the capture. */
function inNamespaces(tool: RulesetTool, version: string): Promise<Captured> {
  const words = [
    ...['-n', '-m', '-p', '-f', '--mount-proc', '--kill-child', process.execPath, script],
    ...[tool.name, String(outputDescriptor), version],
    ...[readlinkSync('/proc/self/ns/net'), readlinkSync('/proc/self/ns/mnt')],
  ];
  const child = spawn('unshare', words, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    timeout: captureTimeoutMs,
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
      reject(new Error('no descriptor for the capture'));
      return;
    }
    output.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0 && text !== '') resolve({ outcome: 'captured', text });
      else {
        const reason = said.trim() === '' ? `ended with ${code ?? 'a signal'}` : said.trim();
        resolve({ outcome: 'failed', reason, remedy: 'see the words of the tool above' });
      }
    });
  });
}
