/**
 * The lab in network namespaces: pod and world held by this process, a subject's datapath in a child; the guests are
 * the harness's own, or microVMs.
 * Without root it is the same in a user namespace, with veths for taps where /dev/net/tun is not for everybody.
 * Invariant: nothing has a name, so nothing of the host is touched and nothing is left, `kill -9` included.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import {
  type BuiltInSubject,
  builtInSubjects,
  type DatapathSubject,
  type Engine,
} from '#properties/subjects/subject.ts';
import type { DnsForm, DnsLab } from '../dns-lab.ts';
import type { GuestSource, LabNeed } from '../network-lab.ts';
import { pinSetNames } from '../pin-set-names.ts';
import type { Unsupported } from '../unsupported.ts';
import { DatapathChild } from './datapath-child.ts';
import { DnsChild } from './dns-child.ts';
import { NamespacePod } from './husk-pod.ts';
import { CallError, closeFd, openDevice, openTap } from './kernel-calls.ts';
import { CommandError, Namespace } from './namespace.ts';
import { Reactor } from './reactor.ts';
import { rootlessUnsupported } from './rootless.ts';
import { startDatapath, startDnsProxyOf } from './subject-process.ts';

/** Why the lab cannot be had here, and what to do; null when it can. Tried, not guessed. */
export function netnsUnsupported(): Unsupported | null {
  for (const [program, debianPackage] of [
    ['ip', 'iproute2'],
    ['nft', 'nftables'],
    ['conntrack', 'conntrack'],
  ] as const) {
    const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
    const { error } = spawnSync(program, ['--version'], {
      env: { ...process.env, PATH: path },
      timeout: 10_000,
    });
    if (error !== undefined)
      return { reason: `${program} is not there`, remedy: `apt-get install -y ${debianPackage}` };
  }
  // In a user namespace one is root.
  if (process.getuid?.() !== 0) {
    const remedy = 'run as root; pnpm e2e:husk-network enters a user namespace by itself';
    return rootlessUnsupported() ?? { reason: 'neither root nor in a user namespace', remedy };
  }
  return tryNamespace();
}

function tryNamespace(): Unsupported | null {
  let namespace: Namespace | null = null;
  let wanted = 'a network namespace';
  try {
    namespace = Namespace.create();
    wanted = tapsUnsupported() === null ? '/dev/net/tun' : 'a veth';
    if (wanted === '/dev/net/tun') namespace.within(() => closeFd(openTap('probe')));
    else namespace.run('ip', ['link', 'add', 'probe', 'type', 'veth', 'peer', 'name', 'other']);
    namespace.run('nft', ['add table inet probe']);
    return null;
  } catch (error) {
    if (error instanceof CallError) {
      const remedy = 'run as root, or let this user make user namespaces';
      return { reason: `${wanted} cannot be had: ${error.message}`, remedy };
    }
    if (!(error instanceof CommandError)) throw error;
    return { reason: error.message, remedy: 'load the modules nf_tables and veth' };
  } finally {
    namespace?.close();
  }
}

/** Why taps cannot be had; a user namespace gives no right to a device that its user may not open. */
export function tapsUnsupported(): Unsupported | null {
  try {
    closeFd(openDevice());
    return null;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    const isThere = error.code === 'EACCES' || error.code === 'EPERM';
    const remedy = isThere
      ? 'chmod 0666 /dev/net/tun (a tap still needs NET_ADMIN), or run as root'
      : 'load the module tun: modprobe tun';
    return { reason: `/dev/net/tun: ${error.message}`, remedy };
  }
}

/** Whose kernel says nothing of its own accord: what a guest sends is the harness's choice. */
function silentNamespace(): Namespace {
  const made = Namespace.create();
  made.within(() => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'));
  return made;
}

/** A mutant of the datapath has the reference's proxy beside it. */
export const dnsSubjectOf = (subject: DatapathSubject): BuiltInSubject =>
  builtInSubjects.find((name) => name === subject) ?? 'reference';

export interface NetnsLabOptions {
  readonly guests?: GuestSource;
  readonly dnsForm?: DnsForm;
}

export class NetnsLab implements DnsLab {
  readonly name: string;
  readonly #subject: DatapathSubject;
  readonly #engine: Engine;
  readonly #reactor = new Reactor();
  readonly #idle: DatapathChild[] = [];
  readonly #idleDns: DnsChild[] = [];
  readonly #guests: GuestSource | null;
  readonly #dnsForm: DnsForm;

  constructor(
    subject: DatapathSubject,
    engine: Engine = 'husk',
    { guests, dnsForm = {} }: NetnsLabOptions = {},
  ) {
    this.name = guests?.name ?? 'netns';
    this.#subject = subject;
    this.#engine = engine;
    this.#guests = guests ?? null;
    this.#dnsForm = dnsForm;
  }

  lacks(need: LabNeed): Unsupported | null {
    if (need === 'a guest before its tap is handed over') {
      if (this.#guests === null) return null;
      const reason = `${need}: a VM is started on a tap that stands`;
      return { reason, remedy: 'leave --tier vm out' };
    }
    const missing = tapsUnsupported();
    if (missing === null) return null;
    const reason = `${need}: a veth stands for the tap, and takes no frame beyond its MTU; ${missing.reason}`;
    return { reason, remedy: missing.remedy };
  }

  async freshPod(): Promise<NamespacePod> {
    const namespace = Namespace.create();
    const source = {
      next: () => this.#spare(),
      done: (child: DatapathChild) => this.#idle.push(child),
      netns: namespace.path,
      guestSide: tapsUnsupported() === null ? null : silentNamespace(),
      guests: this.#guests,
    };
    const made = new NamespacePod(this.#reactor, namespace, source, {
      netns: namespace.path,
      spare: () => this.#spareDns(),
      done: (child) => this.#idleDns.push(child),
      setsOf: (tap) => pinSetNames(dnsSubjectOf(this.#subject), tap),
    });
    await made.datapath.enter();
    await made.settled();
    return made;
  }

  /** A process that waits for a pod: starting one costs more than everything else of a test. */
  #spare(): DatapathChild {
    const waiting = this.#idle.pop();
    if (waiting?.alive) return waiting;
    return new DatapathChild(startDatapath(this.#subject, this.#engine));
  }

  #spareDns(): DnsChild {
    const waiting = this.#idleDns.pop();
    if (waiting?.alive) return waiting;
    return new DnsChild(startDnsProxyOf(dnsSubjectOf(this.#subject), this.#dnsForm));
  }

  async close(): Promise<void> {
    this.#reactor.stop();
    await Promise.all([...this.#idle, ...this.#idleDns].map((child) => child.kill()));
  }
}
