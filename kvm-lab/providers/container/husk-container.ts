/**
 * The container in which a pod's datapath and DNS proxy run, with what a husk's pod has and nothing more.
 * Invariant: it ends when the process that made it does, and is removed with its end.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GenericContainer, getContainerRuntimeClient } from 'testcontainers';
import type { BuiltInSubject, DatapathSubject, Engine } from '#properties/subjects/subject.ts';
import { makeLabFolder, removeLabFolder } from '../../leftovers/lab-folder.ts';
import { ownerMark } from '../../leftovers/owner.ts';
import type { DnsForm } from '../dns-lab.ts';
import { makeFifo } from '../netns/kernel-calls.ts';
import { commandOf, dnsCommandOf } from '../netns/subject-process.ts';
import { FifoProcess, pipeNames, type Role, servingScript } from './fifo-process.ts';
import { ownerLabel, sourceFolder } from './husk-image.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const startDeadlineMs = 60_000;
const removalDeadlineMs = 30_000;

/** system.md, husk: "drop ALL, add only NET_ADMIN; seccomp: RuntimeDefault; no privilege escalation". */
class PrivilegesOfHusk extends GenericContainer {
  constructor(image: string) {
    super(image);
    // Without a profile that is named, the engine's default one applies.
    this.withDroppedCapabilities('ALL')
      .withAddedCapabilities('NET_ADMIN')
      .withSecurityOpt('no-new-privileges')
      // The uplink comes later, from outside, as a pod's does.
      .withNetworkMode('none')
      .withAutoCleanup(false)
      .withStartupTimeout(startDeadlineMs);
    const device = '/dev/net/tun';
    this.hostConfig.Devices = [{ PathOnHost: device, PathInContainer: device, CgroupPermissions: 'rwm' }];
    // What a runtime gives a pod of a cluster with both families.
    this.hostConfig.Sysctls = {
      'net.ipv4.ip_forward': '1',
      // A resolver on port 53 without NET_BIND_SERVICE.
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv6.conf.all.disable_ipv6': '0',
      'net.ipv6.conf.default.disable_ipv6': '0',
    };
    this.hostConfig.AutoRemove = true;
  }
}

/** What the kernel says of a process's rights. */
export interface Confinement {
  /** Effective, permitted, inheritable, bounding, ambient. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  /** 2: a filter. */
  readonly seccomp: number;
}

export function confinementOf(pid: number): Confinement {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
  return {
    capabilities: ['CapEff', 'CapPrm', 'CapInh', 'CapBnd', 'CapAmb'].map(field),
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: Number(field('Seccomp')),
  };
}

export class HuskContainer {
  readonly id: string;
  /** Of its first process, in this process's numbers. */
  readonly pid: number;
  readonly #folder: string;
  readonly #life: number;

  private constructor(id: string, pid: number, folder: string, life: number) {
    this.id = id;
    this.pid = pid;
    this.#folder = folder;
    this.#life = life;
  }

  static async start(image: string): Promise<HuskContainer> {
    // No ports are published, and no address of the engine's host is asked for.
    process.env.TESTCONTAINERS_HOST_OVERRIDE ??= 'localhost';
    const folder = makeLabFolder('container');
    let life = -1;
    try {
      for (const name of pipeNames) makeFifo(`${folder}/${name}`);
      life = openSync(`${folder}/life`, constants.O_RDWR | constants.O_NONBLOCK);
      const started = await new PrivilegesOfHusk(image)
        .withBindMounts([
          { source: root, target: sourceFolder, mode: 'ro' },
          { source: folder, target: '/lab', mode: 'ro' },
        ])
        .withLabels({ [ownerLabel]: ownerMark() })
        .withWorkingDir(sourceFolder)
        .withEntrypoint(['sh', '-c', servingScript])
        .start();
      const client = await getContainerRuntimeClient();
      const { State } = await client.container.getById(started.getId()).inspect();
      return new HuskContainer(started.getId(), State.Pid, folder, life);
    } catch (error) {
      if (life >= 0) closeSync(life);
      removeLabFolder(folder);
      throw error;
    }
  }

  /** The next datapath; the one before has ended. */
  startDatapath(subject: DatapathSubject, engine: Engine): FifoProcess {
    return this.#start('datapath', {}, commandOf(subject, engine));
  }

  /** The next DNS proxy, likewise. */
  startDnsProxy(subject: BuiltInSubject, form: DnsForm): FifoProcess {
    const { words, variables } = dnsCommandOf(subject, form);
    return this.#start('dns', variables, words);
  }

  #start(role: Role, variables: Readonly<Record<string, string>>, words: readonly string[]): FifoProcess {
    const settings = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    return new FifoProcess(this.#folder, role, this.pid, () => {
      writeSync(this.#life, `${[role, ...settings, 'node', ...words].join(' ')}\n`);
    });
  }

  /** Whatever it does. Done when the engine has removed it. */
  async remove(): Promise<void> {
    const client = await getContainerRuntimeClient();
    const container = client.container.getById(this.id);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((_, reject) => {
      const why = new Error(`the engine did not remove container ${this.id.slice(0, 12)} in time`);
      timer = setTimeout(() => reject(why), removalDeadlineMs);
    });
    try {
      const removed = container.wait({ condition: 'removed' }).catch(unlessGone);
      closeSync(this.#life);
      await Promise.race([container.kill().catch(unlessGone), late]);
      await Promise.race([removed, late]);
    } finally {
      clearTimeout(timer);
      removeLabFolder(this.#folder);
    }
  }
}

/** 404: removed; 409: it has ended, and is being removed. */
function unlessGone(error: unknown): void {
  const { statusCode = 0 } = error as { statusCode?: number };
  if (statusCode !== 404 && statusCode !== 409) throw error;
}
