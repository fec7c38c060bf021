/**
 * Which tiers this machine has, why not the others, and the command that adds each. Looks, never changes
 * anything, and never takes a device that opens for one that works.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { labMissing } from '#kvm-lab/providers/netns/readiness.ts';
import type { Tier } from '#properties/claims/claim.ts';

export interface Finding {
  readonly what: string;
  readonly there: boolean;
  /** How it was seen, or why it is missing. */
  readonly detail: string;
  /** What to type; empty when nothing is missing. */
  readonly remedy: string;
}

export interface TierReadiness {
  readonly tier: Tier;
  readonly ready: boolean;
  readonly findings: readonly Finding[];
}

const probeTimeoutMs = 10_000;

export function examine(): TierReadiness[] {
  const tiers: [Tier, Finding[]][] = [
    ['decision', [nodeVersion()]],
    [
      'kernel',
      [
        netnsRight(),
        networkLab(),
        binary('nft', 'nftables'),
        binary('ip', 'iproute2'),
        binary('conntrack', 'conntrack'),
      ],
    ],
    ['vm', [binary('qemu-system-x86_64', 'qemu-system-x86'), kvmDevice()]],
    [
      'apiserver',
      [kubernetesBinary('kube-apiserver'), kubernetesBinary('etcd'), kubernetesBinary('kubectl')],
    ],
    ['cluster', [dockerEngine(), binary('kind', '')]],
  ];
  return tiers.map(([tier, findings]) => ({
    tier,
    findings,
    // KVM makes the VM tier fast; without it QEMU's TCG runs the same guests.
    ready: findings.every(({ there, what }) => there || what === 'KVM'),
  }));
}

function nodeVersion(): Finding {
  const [major] = process.versions.node.split('.').map(Number);
  const there = (major ?? 0) >= 24;
  return { what: 'Node 24', there, detail: process.version, remedy: there ? '' : 'npx pnpm@12 install' };
}

/** Path of a program on PATH, or null. */
function onPath(name: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter).concat('/usr/sbin', '/sbin')) {
    if (isExecutable(`${folder}/${name}`)) return `${folder}/${name}`;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return false;
  }
}

function binary(name: string, debianPackage: string): Finding {
  const path = onPath(name);
  const remedy = debianPackage === '' ? `put ${name} on PATH` : `apt-get install -y ${debianPackage}`;
  return {
    what: name,
    there: path !== null,
    detail: path ?? 'not on PATH',
    remedy: path === null ? remedy : '',
  };
}

function kubernetesBinary(name: string): Finding {
  const assets = process.env.KUBEBUILDER_ASSETS;
  const inAssets = assets !== undefined && isExecutable(`${assets}/${name}`) ? `${assets}/${name}` : null;
  const path = inAssets ?? onPath(name);
  return {
    what: name,
    there: path !== null,
    detail: path ?? 'neither in KUBEBUILDER_ASSETS nor on PATH',
    remedy: path === null ? 'setup-envtest use, then export KUBEBUILDER_ASSETS' : '',
  };
}

/** Network namespaces: as root, or in a user namespace. Tried, not guessed. */
function netnsRight(): Finding {
  const what = 'network namespaces';
  const root = process.getuid?.() === 0;
  const words = root ? ['-n', 'true'] : ['-Urn', 'true'];
  try {
    execFileSync('unshare', words, { timeout: probeTimeoutMs, stdio: 'pipe' });
    return { what, there: true, detail: root ? 'as root' : 'rootless, in a user namespace', remedy: '' };
  } catch (error) {
    const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { what, there: false, detail, remedy: 'run as root, or allow unprivileged user namespaces' };
  }
}

/** What the provider itself says: a namespace with a tap and a table in it. */
function networkLab(): Finding {
  const what = 'lab netns';
  const missing = labMissing();
  if (missing === null)
    return { what, there: true, detail: 'a namespace with a tap and a table', remedy: '' };
  return { what, there: false, detail: missing.reason, remedy: missing.remedy };
}

function kvmDevice(): Finding {
  const what = 'KVM';
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      what,
      there: false,
      detail: `/dev/kvm: ${code}; TCG serves, slower`,
      remedy: 'use a host with KVM',
    };
  }
  const detail =
    '/dev/kvm opens, which proves nothing: a probe boot decides before a VM suite runs; else TCG';
  return { what, there: true, detail, remedy: '' };
}

function dockerEngine(): Finding {
  const what = 'Docker engine';
  const remedy = 'apt-get install -y docker.io, then start dockerd';
  if (onPath('docker') === null) return { what, there: false, detail: 'no docker client on PATH', remedy };
  try {
    const words = ['version', '--format', '{{.Server.Version}}'];
    const version = execFileSync('docker', words, {
      timeout: probeTimeoutMs,
      stdio: 'pipe',
      encoding: 'utf8',
    });
    return { what, there: true, detail: `server ${version.trim()}`, remedy: '' };
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    return { what, there: false, detail: text.trim().split('\n')[0] ?? '', remedy };
  }
}

/** The machine in a line: kernel, cores, memory. */
export function machine(): string {
  const memory = /MemTotal:\s+(\d+) kB/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return `Linux ${kernel}, ${process.arch}, ${Math.round(Number(memory ?? 0) / 1024 / 1024)} GiB`;
}
