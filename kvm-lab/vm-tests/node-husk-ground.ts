/**
 * A node: forkd as a process that keeps its templates encrypted, and husks as processes, each in a pod's network
 * namespace, with a world behind them.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { type Asked, askHusk } from '#properties/engine/control-client.ts';
import type { HuskAnswer } from '#reference/contract/husk-control.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { guestMac } from '#reference/forkd/templates.ts';
import { guestArtifacts } from '../artifacts/artifacts.ts';
import { zooWord } from '../guests/zoo.ts';
import { makeLabFolder, removeLabFolder } from '../leftovers/lab-folder.ts';
import { probeAccelerator } from '../providers/microvm/accelerator.ts';
import { Namespace } from '../providers/netns/namespace.ts';
import { guest, hosts, pod } from '../providers/topology.ts';
import { labTemplate } from './lab-engine.ts';
import { MainProcess } from './main-process.ts';

const own = (name: string) => new URL(`./${name}.ts`, import.meta.url).pathname;
const identity = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
/** Machines under load answer late: that is no fault. */
const patient = { bootSeconds: 600, gateSeconds: 120 };
const gateway = '10.244.1.1';
const uplinkOf = (index: number) => `10.244.1.${10 + index}`;

export type Kind = 'honest' | 'same-sample';

/** A husk's process, its control and its pod. */
export class PodHusk {
  readonly running: MainProcess;
  readonly #path: string;
  #execs = 0;

  constructor(running: MainProcess, path: string) {
    this.running = running;
    this.#path = path;
  }

  ask(asked: Asked): Promise<HuskAnswer | null> {
    return askHusk(this.#path, asked);
  }

  /** What a program says in its guest. */
  async said(...argv: string[]): Promise<string> {
    this.#execs += 1;
    const id = this.#execs;
    this.running.child.stdin?.write(`${JSON.stringify({ id, argv })}\n`);
    return String((await this.running.hear(`{"id":${id},`)).said);
  }
}

export class NodeHuskGround {
  readonly folder: string;
  readonly socket: string;
  /** What the key of a forkd comes by: the kernel shows who has it open. */
  readonly keyPipe: string;
  readonly accelerator: Accelerator;
  readonly pods: readonly Namespace[];
  /** By kind: digests of their snapshots. */
  readonly snapshots = new Map<Kind, string>();
  forkd: MainProcess | null = null;
  readonly #key: Uint8Array;
  readonly #specs: readonly object[];
  readonly #world: Namespace;
  readonly #inWorld: MainProcess;
  #husks = 0;

  private constructor(
    folder: string,
    accelerator: Accelerator,
    key: Uint8Array,
    specs: readonly object[],
    network: {
      readonly world: Namespace;
      readonly pods: readonly Namespace[];
      readonly inWorld: MainProcess;
    },
  ) {
    this.folder = folder;
    this.socket = `${folder}/node.sock`;
    this.keyPipe = `${folder}/key`;
    execFileSync('mkfifo', ['-m', '600', this.keyPipe]);
    this.accelerator = accelerator;
    this.#key = key;
    this.#specs = specs;
    this.#world = network.world;
    this.pods = network.pods;
    this.#inWorld = network.inWorld;
  }

  /** @param pods how many */
  static async open(kinds: readonly Kind[], pods: number, key: Uint8Array): Promise<NodeHuskGround> {
    const folder = makeLabFolder('nodes');
    const { accelerator } = await probeAccelerator();
    const network = worldOf(pods);
    const inWorld = new MainProcess(own('pod-world'), [], { namespace: network.world.path });
    await inWorld.hear('"up"');
    const ground = new NodeHuskGround(folder, accelerator, key, await specsOf(kinds), {
      ...network,
      inWorld,
    });
    ground.want(1);
    try {
      await ground.startForkd();
    } catch (error) {
      await ground.close();
      throw error;
    }
    for (const [index, kind] of kinds.entries()) {
      const line = ground.forkd?.lines.filter((one) => one.includes('"template"'))[index] ?? '';
      ground.snapshots.set(kind, (JSON.parse(line) as { template: { snapshot: string } }).template.snapshot);
    }
    return ground;
  }

  /**
   * Of a forkd that is started from now on.
   * @param ready forks of each template that stand prepared; null: it looks at none of them before it is asked
   */
  want(ready: number | null): void {
    const wanted = ready === null ? [] : this.#specs.map((spec) => ({ spec, ready }));
    writeFileSync(`${this.folder}/templates.json`, JSON.stringify(wanted));
  }

  /** @param key null: it is given none */
  async startForkd(key: Uint8Array | null = this.#key, level = 'warn'): Promise<MainProcess> {
    const flags = [
      ...['--folder', `${this.folder}/state`, '--accelerator', this.accelerator, '--network', 'none'],
      ...['--templates', `${this.folder}/templates.json`, '--node-socket', this.socket],
      ...['--husk', `${identity.uid}:${identity.gid}`, '--log-level', level],
      ...['--boot-seconds', String(patient.bootSeconds), '--gate-seconds', String(patient.gateSeconds)],
      ...(key === null ? [] : ['--storage-key', 'fd:3']),
    ];
    const passed = key === null ? null : pipeOf(this.keyPipe, key);
    this.forkd = new MainProcess('forkd', flags, passed === null ? {} : { passed });
    if (passed !== null) closeSync(passed);
    await this.forkd.hear('"ready":true');
    return this.forkd;
  }

  /**
   * @param main the reference's own; else one that runs programs in its guest besides
   * @param passed a descriptor that listens, for its control; at a path that the caller knows
   */
  async husk(
    index: number,
    main: 'husk' | 'husk-with-exec' = 'husk-with-exec',
    passed: { readonly fd: number; readonly path: string } | null = null,
  ): Promise<PodHusk> {
    this.#husks += 1;
    const [config, path] = [`${this.folder}/husk-${index}.json`, `${this.folder}/husk-${index}.sock`];
    writeFileSync(
      config,
      JSON.stringify({
        node: { path: this.socket, uid: identity.uid },
        pod,
        sandbox: { ...guest, guestMac },
        upstreams: [hosts.dnsServer],
      }),
    );
    const place = {
      namespace: this.pods[index]?.path ?? '',
      ...(passed === null ? {} : { passed: passed.fd }),
    };
    const control = passed === null ? path : 'fd:3';
    const flags = [
      ...['--config', config, '--control', control, '--accelerator', this.accelerator, '--cgroups', 'none'],
      ...['--gate-seconds', String(patient.gateSeconds), '--template-seconds', '300', '--log-level', 'warn'],
    ];
    const words = [config, path, this.accelerator, String(patient.gateSeconds * 1_000)];
    const running =
      main === 'husk'
        ? new MainProcess('husk', flags, place)
        : new MainProcess(own('husk-with-exec'), words, place);
    await running.hear('"ready":true');
    return new PodHusk(running, passed?.path ?? path);
  }

  /** Interfaces and rules of husks in a pod. */
  leftIn(index: number): string[] {
    const namespace = this.pods[index];
    if (namespace === undefined) return ['no such pod'];
    const links = namespace.run('ip', ['-o', 'link']).includes(guest.tap) ? [`tap ${guest.tap}`] : [];
    const rules = namespace.run('nft', ['list', 'ruleset']).trim();
    return [...links, ...(rules === '' ? [] : ['rules'])];
  }

  async close(): Promise<void> {
    await this.forkd?.end('SIGTERM');
    await this.#inWorld.end('SIGKILL');
    for (const namespace of [this.#world, ...this.pods]) namespace.close();
    removeLabFolder(this.folder);
  }
}

/** An end to read some octets of, and then its end. */
export function pipeOf(fifo: string, octets: Uint8Array): number {
  const both = openSync(fifo, 'r+');
  try {
    writeSync(both, octets);
    return openSync(fifo, 'r');
  } finally {
    closeSync(both);
  }
}

async function specsOf(kinds: readonly Kind[]): Promise<object[]> {
  const honest = { ...(await labTemplate()), init: [] };
  const zoo = await guestArtifacts(undefined, 'zoo');
  const specs = {
    honest,
    'same-sample': {
      ...honest,
      kernel: { path: zoo.kernel, sha256: zoo.kernelSha256 },
      initrd: { path: zoo.initrd, sha256: zoo.initrdSha256 },
      commandLine: `${zoo.commandLine} ${zooWord}=same-sample`,
    },
  };
  return kinds.map((kind) => specs[kind]);
}

/** Pods on one bridge, and the world's addresses beside it. */
function worldOf(count: number): { readonly world: Namespace; readonly pods: readonly Namespace[] } {
  const world = Namespace.create();
  const inside = (namespace: Namespace, ...lines: string[]) => {
    for (const line of lines) namespace.run('ip', line.split(' '));
  };
  inside(world, 'link set lo up', 'link add bridge type bridge', `address add ${gateway}/24 dev bridge`);
  inside(world, 'link set bridge up');
  for (const address of [hosts.allowed, hosts.pinned, hosts.forbidden, hosts.dnsServer]) {
    inside(world, `address add ${address}/32 dev lo`);
  }
  const pods = Array.from({ length: count }, (_, index) => {
    const namespace = Namespace.create();
    inside(
      namespace,
      'link set lo up',
      `link add ${pod.uplink} type veth peer name pod${index} netns ${world.path}`,
      `address add ${uplinkOf(index)}/24 dev ${pod.uplink}`,
      `link set ${pod.uplink} up`,
      `route add default via ${gateway}`,
    );
    inside(world, `link set pod${index} master bridge`, `link set pod${index} up`);
    return namespace;
  });
  return { world, pods };
}

export const alive = (pids: readonly number[]): number[] => pids.filter((pid) => existsSync(`/proc/${pid}`));
