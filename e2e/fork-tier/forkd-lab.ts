/**
 * The engine raw-forkd as the lab drives it: a folder of its own, every fork shown as soon as it runs.
 * Invariant: the engine is the reference's, whole; when it is closed nothing of it is left, or that is told.
 */
import { randomBytes } from 'node:crypto';
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { openLog } from '#reference/base/log.ts';
import { Forkd } from '#reference/forkd/forkd.ts';
import { Journal } from '#reference/forkd/journal.ts';
import { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { startSandboxServer } from '#reference/sandbox-server/sandbox-server.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { crossingsOf, shown } from './crossings.ts';
import type { ForkLab, TemplateWish } from './fork-lab.ts';
import type { ZooFork } from './zoo-run.ts';

/** In the order in which they ran first. */
export class Forks extends Array<ZooFork> {
  readonly #waiting: (() => void)[] = [];

  /** When there are more than so many. */
  async next(count: number): Promise<void> {
    while (this.length <= count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  show(fork: ZooFork): void {
    this.push(fork);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

export interface ForkdLab {
  readonly engine: Forkd;
  /** Its id. */
  readonly template: string;
  readonly forks: Forks;
}

const memoryMiB = 512;
const deadlines = { bootMs: 180_000, answerMs: 60_000 };

export async function withForkd<T>(
  lab: ForkLab,
  { kernel, image, words }: TemplateWish,
  deadlineMs: number,
  use: (forkd: ForkdLab) => Promise<T>,
): Promise<T> {
  const folder = makeLabFolder('forkd');
  try {
    const result = await withEngineIn(folder, lab, { kernel, image, words }, deadlineMs, use);
    const { journal, left } = await Journal.open(`${folder}/journal`);
    await journal.close();
    if (left.size === 0) return result;
    throw new Error(`${left.size} entries are left in the journal of a closed engine`);
  } finally {
    removeLabFolder(folder);
  }
}

async function withEngineIn<T>(
  folder: string,
  lab: ForkLab,
  { kernel, image, words }: Pick<TemplateWish, 'kernel' | 'image' | 'words'>,
  deadlineMs: number,
  use: (forkd: ForkdLab) => Promise<T>,
): Promise<T> {
  const forks = new Forks();
  // Of its own: an engine closes its VMM.
  const vmm = shown(await openQemu(lab.vmm.accelerator), (vm, { manifest }) => {
    lab.used({ manifest });
    forks.show({ vm, crossings: crossingsOf(vm), atSnapshot: manifest.generatorAtSnapshot });
  });
  const log = openLog('forkd', 'silent');
  let engine: Forkd | undefined;
  try {
    engine = await Forkd.start({
      ...{ folder, vmm, networks: null, log, deadlines },
      activation: { deadlineMs },
    });
    const artifacts = await guestArtifacts(kernel, image);
    const { id } = await engine.buildTemplate({
      kernel: { path: artifacts.kernel, sha256: artifacts.kernelSha256 },
      initrd: { path: artifacts.initrd, sha256: artifacts.initrdSha256 },
      commandLine: `${artifacts.commandLine} ${words}`.trim(),
      ...{ rootfs: null, memoryMiB, cpus: 1, init: [], allowProcesses: [] },
    });
    return await use({ engine, template: id, forks });
  } finally {
    await (engine ?? vmm).close();
  }
}

/** The same engine behind the sandbox server, on loopback, as a client of it has it. */
export async function overHttp<T>(engine: Forkd, use: (client: SandboxClient) => Promise<T>): Promise<T> {
  const token = randomBytes(32).toString('hex');
  const server = await startSandboxServer({
    ...{ engine, images: {}, rootfsFolder: null, token, host: '127.0.0.1', port: 0 },
    log: openLog('sandbox-server', 'silent'),
  });
  try {
    return await use(new SandboxClient(server.url, token));
  } finally {
    await server.close();
  }
}
