/** A guest with disks: the agent on a kernel of Debian's, spoken to as a host does, without an engine between. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { kernelRandom } from '#reference/base/kernel-random.ts';
import { within } from '#reference/base/within.ts';
import { type ControlRequest, type GuestVolume, maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { minSeedOctets, nonceOctets } from '#reference/contract/reseed.ts';
import { ControlChannel, readAnswer } from '#reference/fork-engine/control-channel.ts';
import { ServiceChannel } from '#reference/fork-engine/service-channel.ts';
import { guestArtifacts } from '../artifacts/artifacts.ts';
import { makeLabFolder, removeLabFolder } from '../leftovers/lab-folder.ts';
import { gone, probeAccelerator, startGuest } from '../providers/microvm/accelerator.ts';
import { ext4Disk } from './ext4-disk.ts';

const bootMs = 180_000;
const answerMs = 60_000;
const retryMs = 20;
const maxOutputOctets = 1 << 16;

type Answer = Readonly<Record<string, unknown>>;

export class DiskGuest {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #control: ControlChannel;
  readonly #services: ServiceChannel;

  private constructor(child: ChildProcess, folder: string, control: Socket, services: Socket) {
    this.#child = child;
    this.#folder = folder;
    this.#control = new ControlChannel(control);
    this.#services = new ServiceChannel(services);
  }

  /** Booted, with a disk for each serial, each with a file system that is empty. */
  static async boot(kernel: string, serials: readonly string[]): Promise<DiskGuest> {
    const { accelerator } = await probeAccelerator();
    const artifacts = await guestArtifacts(kernel);
    const folder = makeLabFolder('disk-guest');
    const devices = serials.flatMap((serial) => {
      writeFileSync(`${folder}/${serial}`, ext4Disk());
      const drive = `file=${folder}/${serial},format=raw,if=none,id=${serial}`;
      return ['-drive', drive, '-device', `virtio-blk-pci,drive=${serial},serial=${serial}`];
    });
    const child = startGuest(accelerator, artifacts, folder, devices);
    try {
      const channels = [await connected(`${folder}/control`), await connected(`${folder}/services`)] as const;
      const guest = new DiskGuest(child, folder, ...channels);
      await guest.ask({ method: 'ping' }, bootMs);
      return guest;
    } catch (error) {
      await gone(child);
      removeLabFolder(folder);
      throw error;
    }
  }

  async ask(request: ControlRequest, deadlineMs = answerMs): Promise<Answer> {
    const late = () => new Error(`${request.method}: no answer within ${deadlineMs} ms`);
    const { line } = await within(this.#control.ask(request, maxLineOctets), deadlineMs, late);
    return readAnswer(line) ?? {};
  }

  /** Tells it that it is a fork, with these volumes: what every fork of a snapshot is told. */
  async fork(volumes: readonly GuestVolume[]): Promise<Answer> {
    await this.ask({ method: 'prepare_snapshot' });
    const answer = await this.ask({
      ...{ method: 'notify_forked', version: 1, generation: 1, volumes },
      nonce: kernelRandom(nonceOctets).toString('hex'),
      seed: kernelRandom(minSeedOctets).toString('hex'),
      host_wall_clock_nanos: Date.now() * 1e6,
    });
    if (answer.ok === true) await this.ask({ method: 'release', generation: 1 });
    return answer;
  }

  /** What a program printed, and how it ended. */
  async said(...argv: string[]): Promise<string> {
    const chunks: Buffer[] = [];
    const order = { argv, timeout_ms: answerMs, max_output_octets: maxOutputOctets };
    const { ended } = this.#services.exec(order, (_stream, octets) => void chunks.push(octets));
    const { ok } = await ended;
    return `${Buffer.concat(chunks).toString().trim()}${ok ? '' : ' [failed]'}`;
  }

  async end(): Promise<void> {
    this.#control.close();
    this.#services.close();
    await gone(this.#child);
    removeLabFolder(this.#folder);
  }
}

/** As soon as QEMU has made it. */
async function connected(path: string): Promise<Socket> {
  const untilMs = performance.now() + answerMs;
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await pause(retryMs);
    }
  }
}
