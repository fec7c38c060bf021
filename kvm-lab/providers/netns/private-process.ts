/**
 * Starts a program in a network namespace of its own, as root or in a user namespace. Invariant: the
 * namespace has no name and no other holder, so that it goes with the program, however that ends.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';

const probeTimeoutMs = 10_000;

export type Readiness =
  | { readonly ready: true }
  | { readonly ready: false; readonly reason: string; readonly remedy: string };

const programs = {
  unshare: 'util-linux',
  taskset: 'util-linux',
  ip: 'iproute2',
  nft: 'nftables',
  'iptables-nft-restore': 'iptables',
} as const;

function unshareWords(): string[] {
  return process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net'];
}

/** Tried, not guessed: a namespace is made, and nf_tables asked in it. */
export function privateNetworkReadiness(): Readiness {
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (!runs('sh', ['-c', `command -v ${program}`])) {
      return { ready: false, reason: `no ${program} on PATH`, remedy: `apt-get install -y ${debianPackage}` };
    }
  }
  if (!runs('unshare', [...unshareWords(), 'nft', 'list', 'ruleset'])) {
    const reason = 'no network namespace with nf_tables can be made';
    return { ready: false, reason, remedy: 'run as root, or allow unprivileged user namespaces' };
  }
  return { ready: true };
}

function runs(program: string, words: readonly string[]): boolean {
  try {
    execFileSync(program, words, { timeout: probeTimeoutMs, stdio: 'pipe' });
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

/** On one processor, so that what it sends is handled in order. */
export function startPrivate(script: string, words: readonly string[], processor: number): ChildProcess {
  const own = readlinkSync('/proc/self/ns/net');
  const command = ['taskset', '-c', String(processor), process.execPath, script, own, ...words];
  return spawn('unshare', [...unshareWords(), ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: markedEnvironment(),
  });
}
