/**
 * Templates that lie encrypted on the disk, on QEMU: with their key they are forked, changed or without it refused; and
 * where the key is not.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeTemplate } from '#reference/husk/node-templates.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { policy } from '../providers/topology.ts';
import { endAll, processesBelow } from './main-process.ts';
import { alive, NodeHuskGround, type PodHusk, pipeOf } from './node-husk-ground.ts';

const patience = { timeout: 900_000 };
const key = randomBytes(32);
const headerOctets = 96;
/** Every guest's kernel has it in its memory. */
const banner = Buffer.from('Linux version 6.');
const chunkOctets = 1 << 22;

let ground: NodeHuskGround;
beforeAll(async () => {
  ground = await NodeHuskGround.open(['honest'], 1, key);
}, 900_000);
afterAll(async () => {
  await ground?.close();
  await endAll();
});

const snapshot = () => ground.snapshots.get('honest') ?? '';

function stored(part: 'memory' | 'device-state'): string {
  const templates = `${ground.folder}/state/templates`;
  const [id = ''] = readdirSync(templates);
  return `${templates}/${id}/snapshot/${part}`;
}

/** Whether what a descriptor, or a file, holds has the kernel's banner in it. */
function hasBanner(fd: number): boolean {
  const buffer = Buffer.alloc(chunkOctets + banner.length);
  for (let at = 0; ; at += chunkOctets) {
    const read = readSync(fd, buffer, 0, buffer.length, at);
    if (read === 0) return false;
    if (buffer.subarray(0, read).includes(banner)) return true;
  }
}

const holdsBanner = (path: string) => {
  const fd = openSync(path, 'r');
  try {
    return hasBanner(fd);
  } finally {
    closeSync(fd);
  }
};

test(
  'nothing of the guest is to be read on the disk, and all of it in the sealed memory of who has the key',
  patience,
  async () => {
    expect(statSync(stored('memory')).mode & 0o777).toBe(0o600);
    for (const part of ['memory', 'device-state'] as const) {
      expect(readFileSync(stored(part)).subarray(0, 27).toString()).toBe('mitos.run/encrypted-part/v1');
    }
    expect(holdsBanner(stored('memory'))).toBe(false);
    const vmm = await openQemu(ground.accelerator);
    try {
      const address = { path: ground.socket, uid: process.getuid?.() ?? 0 };
      const taken = await takeTemplate(address, { vmm, digest: snapshot(), deadlineMs: 300_000 });
      expect(hasBanner(taken.memory.fd)).toBe(true);
      taken.close();
    } finally {
      await vmm.close();
    }
  },
);

/** Sockets, pipes and files that a process has open. */
function openIn(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** Where the key is seen: in what processes were started with, and in what was said. */
function keyIn(pids: readonly number[], said: Readonly<Record<string, string>> = {}): string[] {
  const forms = [key.toString('hex'), key.toString('base64'), key.toString('latin1')];
  const holds = (text: string) => forms.some((form) => text.toLowerCase().includes(form.toLowerCase()));
  const ofProcesses = pids.flatMap((pid) =>
    ['cmdline', 'environ', 'comm'].map(
      (name) => [`${name} of ${pid}`, readFileSync(`/proc/${pid}/${name}`, 'latin1')] as const,
    ),
  );
  return [...Object.entries(said), ...ofProcesses].flatMap(([where, text]) => (holds(text) ? [where] : []));
}

test(
  'the key is in no log, title or environment, and its descriptor in neither forkd nor what forkd starts',
  patience,
  async () => {
    expect((await ground.forkd?.end('SIGTERM'))?.code).toBe(0);
    const forkd = await ground.startForkd(key, 'debug');
    const below = processesBelow(forkd.pid);
    const qemus = below.filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu'));
    expect(qemus).toHaveLength(1);
    expect(forkd.errors).toContain('"name":"forkd"');
    const said = { stderr: forkd.errors, stdout: forkd.lines.join('\n') };
    expect(keyIn([forkd.pid, ...below], said)).toEqual([]);
    const shown = spawn('sleep', ['60'], { env: { KEY: key.toString('hex') }, stdio: 'ignore' });
    await once(shown, 'spawn');
    expect(keyIn([shown.pid ?? 0], { stderr: key.toString('base64') })).toEqual([
      'stderr',
      `environ of ${shown.pid}`,
    ]);
    shown.kill('SIGKILL');
    const holders = () =>
      [process.pid, forkd.pid, ...below].filter((pid) => openIn(pid).includes(ground.keyPipe));
    expect(holders()).toEqual([]);
    const own = pipeOf(ground.keyPipe, key);
    expect(holders()).toEqual([process.pid]);
    closeSync(own);
  },
);

const refusals: [what: string, key: Uint8Array | null, spoil: () => () => void, why: RegExp][] = [
  ['with another key', randomBytes(32), () => () => undefined, /: memory\.key: /],
  ['without a key', null, () => () => undefined, /: memory\.encryption: it is encrypted, and here is no key/],
  [
    'of a flipped bit of memory',
    key,
    () => flip('memory', headerOctets + 1_000),
    /: memory\.encryption: its chunk 0 /,
  ],
  ['of a flipped bit of the salt', key, () => flip('memory', 40), /: memory\.key: /],
  [
    'of a flipped bit of device state',
    key,
    () => flip('device-state', headerOctets + 99),
    /: deviceState\.encryption: /,
  ],
  ['of a truncated memory', key, () => cut('memory', 1), /: memory\.octets: /],
  ['of a truncated device state', key, () => cut('device-state', 4_096), /: deviceState\.octets: /],
];

/** @returns what makes it what it was */
function flip(part: 'memory' | 'device-state', at: number): () => void {
  const toggle = () => {
    const fd = openSync(stored(part), 'r+');
    const octet = Buffer.alloc(1);
    readSync(fd, octet, 0, 1, at);
    octet[0] = (octet[0] ?? 0) ^ 1;
    writeSync(fd, octet, 0, 1, at);
    closeSync(fd);
  };
  toggle();
  return toggle;
}

function cut(part: 'memory' | 'device-state', octets: number): () => void {
  const path = stored(part);
  const { size } = statSync(path);
  const fd = openSync(path, 'r');
  const lost = Buffer.alloc(octets);
  readSync(fd, lost, 0, octets, size - octets);
  closeSync(fd);
  truncateSync(path, size - octets);
  return () => {
    const again = openSync(path, 'r+');
    writeSync(again, lost, 0, octets, size - octets);
    closeSync(again);
  };
}

test(
  'a fork of it passes the gate after a restart; with another key, without one, or when it was changed it is refused by the field',
  patience,
  async () => {
    expect((await ground.forkd?.end('SIGTERM'))?.code).toBe(0);
    await expect(ground.startForkd(randomBytes(32))).rejects.toThrow(
      /: memory\.key: [\s\S]*\[snapshot-mismatch\]/,
    );
    ground.want(null);
    await ground.startForkd();
    const husk: PodHusk = await ground.husk(0, 'husk');
    for (const [what, given, spoil, why] of refusals) {
      expect((await ground.forkd?.end('SIGTERM'))?.code, what).toBe(0);
      const mend = spoil();
      await ground.startForkd(given);
      const answer = await husk.ask({ ask: 'prepare', snapshot: snapshot() });
      mend();
      expect(answer, what).toMatchObject({
        ...{ ok: false, code: 'snapshot-mismatch', phase: 'new', message: expect.stringMatching(why) },
      });
    }
    await ground.forkd?.end('SIGTERM');
    await ground.startForkd();
    expect(await husk.ask({ ask: 'prepare', snapshot: snapshot() })).toMatchObject({ phase: 'dormant' });
    expect(await husk.ask({ ask: 'activate', policy, secrets: [] })).toMatchObject({
      ok: true,
      phase: 'active',
    });
    const below = processesBelow(husk.running.pid);
    expect(await husk.ask({ ask: 'terminate' })).toMatchObject({ ok: true });
    expect((await husk.running.ended).code).toBe(0);
    expect(below.length).toBeGreaterThan(0);
    await expect.poll(() => alive(below), { timeout: 20_000 }).toEqual([]);
  },
);
