/**
 * The lab in network namespaces: pod and world held by this process, a subject's datapath in a child.
 * Invariant: nothing has a name, so nothing of the host is touched and nothing is left, `kill -9` included.
 */
import { spawnSync } from 'node:child_process';
import type { DatapathSubject, Engine } from '#properties/subjects/subject.ts';
import type { NetworkLab } from '../network-lab.ts';
import { DatapathChild } from './datapath-child.ts';
import { NamespacePod } from './husk-pod.ts';
import { CallError, closeFd, openTap } from './kernel-calls.ts';
import { CommandError, Namespace } from './namespace.ts';
import { Reactor } from './reactor.ts';

/** Why the lab cannot be had here, and what to do; null when it can. Tried, not guessed. */
export function netnsUnsupported(): { readonly reason: string; readonly remedy: string } | null {
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

function tryNamespace(): { reason: string; remedy: string } | null {
  let namespace: Namespace | null = null;
  let wanted = 'a network namespace';
  try {
    namespace = Namespace.create();
    wanted = '/dev/net/tun';
    namespace.within(() => closeFd(openTap('probe')));
    namespace.run('nft', ['add table inet probe']);
    return null;
  } catch (error) {
    if (error instanceof CallError) {
      const remedy = 'run as root, or let this user open /dev/net/tun and make user namespaces';
      return { reason: `${wanted} cannot be had: ${error.message}`, remedy };
    }
    if (!(error instanceof CommandError)) throw error;
    return { reason: error.message, remedy: 'load the module nf_tables' };
  } finally {
    namespace?.close();
  }
}

export class NetnsLab implements NetworkLab {
  readonly name = 'netns';
  readonly #subject: DatapathSubject;
  readonly #engine: Engine;
  readonly #reactor = new Reactor();
  readonly #idle: DatapathChild[] = [];

  constructor(subject: DatapathSubject, engine: Engine = 'husk') {
    this.#subject = subject;
    this.#engine = engine;
  }

  async freshPod(): Promise<NamespacePod> {
    const made = new NamespacePod(
      this.#reactor,
      () => this.#spare(),
      (child) => this.#idle.push(child),
    );
    await made.datapath.enter();
    await made.settled();
    return made;
  }

  /** A process that waits for a pod: starting one costs more than everything else of a test. */
  #spare(): DatapathChild {
    const waiting = this.#idle.pop();
    if (waiting?.alive) return waiting;
    return new DatapathChild(this.#subject, this.#engine);
  }

  close(): void {
    this.#reactor.stop();
    for (const child of this.#idle) void child.kill();
  }
}
