/** F6.snapshot: what lies on the disk is changed behind the host's back; what is restored of it. */
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { residualCells } from '#properties/claims/claim.ts';
import { close } from '#reference/base/syscalls.ts';
import type { LoadedSnapshot, SnapshotManifest } from '#reference/contract/vmm-port.ts';
import { copySealed } from '#reference/vmm/sealed-files.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { plainWish } from '../fork-lab.ts';
import { messageOf } from '../message-of.ts';
import { wishOf } from './siblings.ts';

const pageOctets = 4_096;

function withPage(path: string, at: number, change: (page: Buffer) => void): () => void {
  const fd = openSync(path, 'r+');
  try {
    const page = Buffer.alloc(pageOctets);
    const length = readSync(fd, page, 0, pageOctets, at);
    const before = Buffer.from(page.subarray(0, length));
    change(page);
    writeSync(fd, page, 0, length, at);
    return () => {
      const again = openSync(path, 'r+');
      writeSync(again, before, 0, length, at);
      closeSync(again);
    };
  } finally {
    closeSync(fd);
  }
}

const lastPage = (path: string) => {
  const fd = openSync(path, 'r');
  const { size } = fstatSync(fd);
  closeSync(fd);
  return size - pageOctets;
};

/** What is changed → how it is put back. */
const changes: readonly (readonly [what: string, change: (folder: string) => () => void])[] = [
  [
    'a bit of memory that nobody uses is flipped',
    (folder) =>
      withPage(`${folder}/memory`, lastPage(`${folder}/memory`), (page) => {
        page[0] = (page[0] ?? 0) ^ 1;
      }),
  ],
  [
    'a page of memory that nobody uses is another',
    (folder) => withPage(`${folder}/memory`, lastPage(`${folder}/memory`), (page) => void page.fill(0x5a)),
  ],
  [
    'the manifest names another kernel',
    (folder) => {
      const path = `${folder}/manifest.json`;
      const before = readFileSync(path, 'utf8');
      const manifest = JSON.parse(before) as SnapshotManifest;
      writeFileSync(path, before.replace(manifest.kernelSha256, '5a'.repeat(32)));
      return () => writeFileSync(path, before);
    },
  ],
  [
    'the memory is gone, and another file has its name',
    (folder) => {
      renameSync(`${folder}/memory`, `${folder}/kept`);
      writeFileSync(`${folder}/memory`, 'x');
      return () => renameSync(`${folder}/kept`, `${folder}/memory`);
    },
  ],
];

/** As a host without a manifest does it: what the files hold is what runs. */
async function loadUnchecked(folder: string, { manifest, digest }: LoadedSnapshot): Promise<LoadedSnapshot> {
  const sealed = async (name: string, most: number) => {
    const fd = openSync(`${folder}/${name}`, 'r');
    try {
      return await copySealed(fd, name, most);
    } finally {
      closeSync(fd);
    }
  };
  const memory = await sealed('memory', manifest.memory.octets);
  const deviceState = await sealed('device-state', manifest.deviceState.octets);
  const end = () => [memory, deviceState].forEach(({ fd }) => void close(fd));
  return { manifest, digest, memory, deviceState, close: end };
}

/** What came of a load: a guest that answers, or why there is none. */
async function restored(
  { lab, subject }: ForkStage,
  folder: string,
  template: LoadedSnapshot,
): Promise<{ readonly runs: boolean; readonly why: string }> {
  let snapshot: LoadedSnapshot;
  try {
    snapshot =
      subject === 'reference'
        ? await lab.vmm.load(folder, template.digest)
        : await loadUnchecked(folder, template);
  } catch (error) {
    return { runs: false, why: messageOf(error) };
  }
  try {
    const { vm, guest } = await lab.fork({ snapshot });
    const answers = await guest.draw(1).then(
      () => true,
      () => false,
    );
    await vm.stop();
    return {
      runs: answers,
      why: answers ? 'it runs, and its agent answers' : 'it was restored, and does not answer',
    };
  } catch (error) {
    return { runs: false, why: `the VMM: ${messageOf(error)}` };
  } finally {
    snapshot.close();
  }
}

async function run(stage: ForkStage): Promise<Seen> {
  const template = await stage.lab.template(wishOf(stage, plainWish));
  const place = makeLabFolder('snapshot');
  const folder = `${place}/snapshot`;
  try {
    await stage.lab.vmm.store(template.snapshot, folder);
    const told: (readonly [string, { readonly runs: boolean; readonly why: string }])[] = [];
    for (const [what, change] of changes) {
      const undo = change(folder);
      told.push([what, await restored(stage, folder, template.snapshot)]);
      undo();
    }
    const honest = await restored(stage, folder, template.snapshot);
    return {
      closed: honest.runs ? null : `the same folder, put back, does not run: ${honest.why}`,
      effects: told.filter(([, { runs }]) => runs).map(([what, { why }]) => `${what}: ${why}`),
      steps: [...told.map(([what, { why }]) => `${what}: ${why}`), `put back: ${honest.why}`],
      judgedCases: told.length,
      exhibits: [],
    };
  } finally {
    removeLabFolder(place);
  }
}

export const snapshotAttacks: readonly ForkAttack[] = [
  {
    id: 'snapshot.changed',
    claim: 'F6.snapshot',
    statement:
      'A snapshot of which a bit, a page, the manifest or a file was changed on the disk never runs.',
    source:
      'facts.md: "QEMU accepts and runs a truncated or bit-flipped vmstate, a RAM file with zeroed or flipped pages …"',
    control: 'the same folder, put back as it was, runs',
    expected: residualCells,
    template: 'plain',
    run,
  },
];
