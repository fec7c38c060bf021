/** An engine on the fake VMM, in a folder of its own. */
import { hash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readCheckedLines } from '#reference/base/checked-lines.ts';
import { openLog } from '#reference/base/log.ts';
import type { TemplateSpec, TemplateVolume } from '#reference/contract/fork-engine-port.ts';
import { Forkd, type ForkdOptions } from '#reference/forkd/forkd.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import type { StorageKey } from '#reference/vmm/manifest/storage-key.ts';
import { engineGuest } from './engine-guest.ts';

export interface Engine {
  readonly forkd: Forkd;
  readonly vmm: FakeVmm;
  readonly guest: ReturnType<typeof engineGuest>;
}

export const volumeOctets = 4_096;
export const volumeSlots: readonly TemplateVolume[] = [
  { serial: 'shared', octets: volumeOctets, access: 'readonly', path: '/data' },
  { serial: 'own', octets: volumeOctets, access: 'private', path: '/work' },
];

/** An image that begins with a line. */
export function imageOf(line: string, octets = volumeOctets): Buffer {
  const image = Buffer.alloc(octets);
  image.write(`${line}\n`);
  return image;
}

export const noSecrets = { network: null, secrets: [] } as const;

export class EngineGround {
  readonly folder: string;
  /** Of engines that are started from now on. */
  storageKey: StorageKey | null = null;
  readonly state: string;

  constructor(folder = mkdtempSync(`${tmpdir()}/huskproof-engine-`)) {
    this.folder = folder;
    this.state = `${folder}/state`;
    if (existsSync(`${folder}/kernel`)) return;
    for (const name of ['kernel', 'initrd']) writeFileSync(`${folder}/${name}`, `a ${name}`);
  }

  async start(options: Partial<ForkdOptions> = {}): Promise<Engine> {
    const guest = engineGuest();
    const vmm = new FakeVmm(guest.program, undefined, this.storageKey);
    const forkd = await Forkd.start({
      ...{ folder: this.state, vmm, networks: null, log: openLog('test', 'silent') },
      activation: { deadlineMs: 1_000 },
      ...options,
    });
    return { forkd, vmm, guest };
  }

  spec(more: Partial<TemplateSpec> = {}): TemplateSpec {
    const pinned = (name: string) => ({
      path: `${this.folder}/${name}`,
      sha256: hash('sha256', `a ${name}`),
    });
    return {
      ...{ kernel: pinned('kernel'), initrd: pinned('initrd'), commandLine: 'quiet', rootfs: null },
      ...{ memoryMiB: 64, cpus: 1, init: [], allowProcesses: [], ...more },
    };
  }

  /** What stands on the disk besides locks. */
  left(): { templates: string[]; witnesses: string[]; journal: string[] } {
    const names = (part: string) =>
      existsSync(`${this.state}/${part}`) ? readdirSync(`${this.state}/${part}`) : [];
    const journal = `${this.state}/journal`;
    return {
      templates: names('templates'),
      witnesses: names('witnesses').filter((name) => name !== 'lock'),
      journal: existsSync(journal) ? openEntries(readFileSync(journal)) : [],
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Of a journal: begun, and not ended. */
function openEntries(octets: Buffer): string[] {
  const open = new Set<string>();
  for (const { begin, end } of (readCheckedLines(octets)?.values ?? []) as {
    begin?: string;
    end?: string;
  }[]) {
    if (begin !== undefined) open.add(begin);
    if (end !== undefined) open.delete(end);
  }
  return [...open];
}

export async function run({ forkd }: Engine, id: string, argv: readonly string[]) {
  const chunks: Buffer[] = [];
  const end = await forkd.exec(
    id,
    { argv, timeout_ms: 5_000, max_output_octets: 1 << 20 },
    (_stream, octets) => {
      chunks.push(octets);
    },
  ).ended;
  return { text: Buffer.concat(chunks).toString(), end };
}
