/**
 * The lab in network namespaces: pod and world held by this process, a subject's datapath in a child.
 * Invariant: nothing has a name, so nothing of the host is touched and nothing is left, `kill -9` included.
 */
import { spawnSync } from 'node:child_process';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import type { NetworkLab } from '../network-lab.ts';
import type { Unsupported } from '../unsupported.ts';
import { DatapathChild } from './datapath-child.ts';
import { startChild } from './datapath-process.ts';
import { NamespacePod } from './husk-pod.ts';
import { CallError, closeFd, openTap } from './kernel-calls.ts';
import { CommandError, Namespace } from './namespace.ts';
import { Reactor } from './reactor.ts';

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
  return tryNamespace();
}

function tryNamespace(): Unsupported | null {
  let namespace: Namespace | null = null;
  try {
    namespace = Namespace.create();
    namespace.within(() => closeFd(openTap('probe')));
    namespace.run('nft', ['add table inet probe']);
    return null;
  } catch (error) {
    if (error instanceof CallError) {
      const remedy = 'run as root, or let this user open /dev/net/tun and make user namespaces';
      return { reason: `no namespace with a tap: ${error.message}`, remedy };
    }
    if (!(error instanceof CommandError)) throw error;
    return { reason: error.message, remedy: 'load the module nf_tables' };
  } finally {
    namespace?.close();
  }
}

export class NetnsLab implements NetworkLab {
  readonly name = 'netns';
  readonly #subject: BuiltInSubject;
  readonly #reactor = new Reactor();
  readonly #idle: DatapathChild[] = [];

  constructor(subject: BuiltInSubject) {
    this.#subject = subject;
  }

  async freshPod(): Promise<NamespacePod> {
    const namespace = Namespace.create();
    const made = new NamespacePod(this.#reactor, namespace, {
      next: () => this.#spare(),
      done: (child) => this.#idle.push(child),
      netns: namespace.path,
    });
    await made.datapath.enter();
    await made.settled();
    return made;
  }

  /** A process that waits for a pod: starting one costs more than everything else of a test. */
  #spare(): DatapathChild {
    const waiting = this.#idle.pop();
    if (waiting?.alive) return waiting;
    return new DatapathChild(startChild(this.#subject));
  }

  async close(): Promise<void> {
    this.#reactor.stop();
    await Promise.all(this.#idle.map((child) => child.kill()));
  }
}
