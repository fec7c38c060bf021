/**
 * Which tiers this machine has, why not the others, and the command that adds each. Looks, never changes
 * anything, and never takes a device that opens for one that works.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { kernelNames, missingArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { cacheFolder } from '#kvm-lab/artifacts/cache-folder.ts';
import { engineUnsupported, engineVersion } from '#kvm-lab/providers/container/docker-engine.ts';
import { containerUnsupported } from '#kvm-lab/providers/container/readiness.ts';
import {
  microvmLabUnsupported,
  microvmUnsupported,
  qemuVersion,
} from '#kvm-lab/providers/microvm/readiness.ts';
import { netnsUnsupported, tapsUnsupported } from '#kvm-lab/providers/netns/netns.ts';
import { rootlessHasTaps, rootlessUnsupported } from '#kvm-lab/providers/netns/rootless.ts';
import type { Unsupported } from '#kvm-lab/providers/unsupported.ts';
import type { Tier } from '#properties/claims/claim.ts';

export interface Finding {
  readonly what: string;
  readonly there: boolean;
  /** How it was seen, or why it is missing. */
  readonly detail: string;
  /** What to type; empty when nothing is missing. */
  readonly remedy: string;
  /** The tier is ready without it. */
  readonly optional?: true;
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
        ...namespaceLabs(),
        {
          ...provider('lab container', containerUnsupported(), 'a container with a tap and a table'),
          optional: true,
        },
        binary('nft', 'nftables'),
        binary('ip', 'iproute2'),
        binary('conntrack', 'conntrack'),
      ],
    ],
    [
      'vm',
      [
        provider('lab microvm', microvmUnsupported(), microvmDetail()),
        {
          ...provider('microVMs behind taps', microvmLabUnsupported(), 'for pnpm e2e:husk-network --tier vm'),
          optional: true,
        },
        artifactsInCache(),
        kvmDevice(),
      ],
    ],
    [
      'apiserver',
      [kubernetesBinary('kube-apiserver'), kubernetesBinary('etcd'), kubernetesBinary('kubectl')],
    ],
    ['cluster', [dockerEngine(), binary('kind', '')]],
  ];
  return tiers.map(([tier, findings]) => ({
    tier,
    findings,
    ready: findings.every(({ there, optional }) => there || optional === true),
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

/** What the provider itself says. */
function provider(what: string, missing: Unsupported | null, detail: string): Finding {
  if (missing === null) return { what, there: true, detail, remedy: '' };
  return { what, there: false, detail: missing.reason, remedy: missing.remedy };
}

/** One of the two is this user's: root's own, or the one in a user namespace. */
function namespaceLabs(): Finding[] {
  const isRoot = process.getuid?.() === 0;
  const asRoot = provider('lab netns', netnsUnsupported(), netnsDetail());
  const rootless = provider('lab netns, rootless', rootlessUnsupported(), rootlessDetail());
  return isRoot ? [asRoot, { ...rootless, optional: true }] : [{ ...asRoot, optional: true }, rootless];
}

function netnsDetail(): string {
  const missing = tapsUnsupported();
  if (missing === null) return 'a namespace with a tap and a table';
  return `a namespace with a table, a veth for the tap: ${missing.reason}; ${missing.remedy}`;
}

function rootlessDetail(): string {
  if (rootlessHasTaps()) return 'the same in a user namespace';
  return 'in a user namespace, a veth and a packet socket for the tap: /dev/net/tun is not for everybody';
}

function microvmDetail(): string {
  return `${qemuVersion() ?? 'no QEMU'}; kernels ${kernelNames().join(', ')}`;
}

/** Without them the first guest takes as long as they take to fetch. */
function artifactsInCache(): Finding {
  const what = 'artifacts of guests';
  const missing = missingArtifacts();
  if (missing.length === 0) return { what, there: true, detail: cacheFolder(), remedy: '', optional: true };
  const detail = `not fetched yet: ${missing.join(', ')}`;
  return { what, there: false, detail, remedy: 'pnpm lab artifacts', optional: true };
}

/** Makes the VM tier fast; without it QEMU's TCG runs the same guests. */
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
      optional: true,
    };
  }
  const detail = '/dev/kvm opens, which proves nothing: a probe boot decides, pnpm lab probe; else TCG';
  return { what, there: true, detail, remedy: '', optional: true };
}

function dockerEngine(): Finding {
  const missing = engineUnsupported();
  return provider('Docker engine', missing, missing === null ? `server ${engineVersion()}` : '');
}

/** The machine in a line: kernel, cores, memory. */
export function machine(): string {
  const memory = /MemTotal:\s+(\d+) kB/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return `Linux ${kernel}, ${process.arch}, ${Math.round(Number(memory ?? 0) / 1024 / 1024)} GiB`;
}
