/** The node socket: one store for all husks of a node, and templates in sealed memory. */
import { fstatSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openLog } from '#reference/base/log.ts';
import { isSealed } from '#reference/base/memfd.ts';
import { WitnessStore } from '#reference/fork-engine/witness-store.ts';
import { NodeSocket } from '#reference/forkd/node-socket.ts';
import { takeTemplate } from '#reference/husk/node-templates.ts';
import { NodeWitnesses } from '#reference/husk/node-witnesses.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { type Engine, EngineGround } from './engine-ground.ts';
import { engineGuest } from './engine-guest.ts';
import {
  activateAll,
  addressIn,
  gid,
  type HuskOrders,
  huskProcess,
  socketIn,
  Talker,
  uid,
} from './node-ground.ts';
import { witnessContract } from './witness-contract.ts';
import { snapshotNamed } from './witness-ground.ts';

const log = openLog('test', 'silent');
const patience = { timeout: 120_000 };

describe('the store across the node socket', () => {
  const folder = mkdtempSync(`${tmpdir()}/huskproof-node-`);
  afterAll(() => rmSync(folder, { recursive: true }));

  witnessContract(async (ground, limits) => {
    const store = await WitnessStore.open(ground.folder, log, limits);
    const socket = await NodeSocket.open(socketIn(folder), {
      ...{ store, log, isTemplate: () => true },
      withTemplate: () => Promise.reject(new Error('no template is asked for')),
    });
    const witnesses = new NodeWitnesses(addressIn(folder));
    return {
      insert: (...asked) => witnesses.insert(...asked),
      nextGeneration: (...asked) => witnesses.nextGeneration(...asked),
      isAdmitted: (...asked) => witnesses.isAdmitted(...asked),
      close: async () => {
        await witnesses.close();
        await socket.close();
        await store.close();
      },
    };
  });
});

let ground: EngineGround;
let engine: Engine | null;
beforeEach(() => {
  ground = new EngineGround();
  engine = null;
});
afterEach(async () => {
  await engine?.forkd.close();
  ground[Symbol.dispose]();
});

/** @returns the digest of a template's snapshot */
async function serve(): Promise<string> {
  engine = await ground.start({ nodeSocket: socketIn(ground.folder) });
  return (await engine.forkd.buildTemplate(ground.spec())).snapshot;
}

const vmm = () => new FakeVmm(engineGuest().program);
const take = (digest: string, deadlineMs = 20_000) =>
  takeTemplate(addressIn(ground.folder), { vmm: vmm(), digest, deadlineMs });

describe('husks of one node, each a process,', () => {
  test('never both pass with one sample, however close they come', patience, async () => {
    const snapshot = await serve();
    const address = addressIn(ground.folder);
    const passed: number[] = [];
    for (let round = 0; round < 3; round++) {
      const lie = 'same sample';
      const orders = { address, snapshot, lie, ownStore: null } as const;
      const said = await activateAll(await Promise.all([huskProcess(orders), huskProcess(orders)]));
      const refused = said.filter((one) => one !== 'active');
      passed.push(said.length - refused.length);
      // Nothing of it is left, and its guest was not released.
      for (const one of refused) expect(one).toMatch(/^fork-refused: .* seen before for this snapshot \| $/);
    }
    // The first that came, and nobody after it.
    expect(passed).toEqual([1, 0, 0]);
  });

  test(
    'both pass with one sample when each has a store of its own: the shared one is what refuses',
    patience,
    async () => {
      const snapshot = await serve();
      const husks = ['one', 'two'].map((name) =>
        huskProcess({
          ...{ address: addressIn(ground.folder), snapshot, lie: 'same sample' },
          ownStore: `${ground.folder}/${name}`,
        }),
      );
      expect(await activateAll(await Promise.all(husks))).toEqual(['active', 'active']);
    },
  );

  test('all pass with samples of their own', patience, async () => {
    const snapshot = await serve();
    const orders = { address: addressIn(ground.folder), snapshot, lie: 'none', ownStore: null } as const;
    const husks = await Promise.all([1, 2, 3].map(() => huskProcess(orders)));
    expect(await activateAll(husks)).toEqual(['active', 'active', 'active']);
  });

  test(
    'are refused when forkd is killed between an insert and its answer, and the sample stays used',
    patience,
    async () => {
      const forkd = new Talker('node-forkd', [ground.folder]);
      const snapshot = await forkd.hear();
      const orders: HuskOrders = {
        ...{ address: addressIn(ground.folder), snapshot, lie: 'same sample', ownStore: null },
      };
      const [said] = await activateAll([await huskProcess(orders)]);
      expect(said).toMatch(/^fork-refused: .* \| $/);
      expect(await forkd.hear()).toBe('ended');
      expect(forkd.child.signalCode).toBe('SIGKILL');
      engine = await ground.start({ nodeSocket: socketIn(ground.folder) });
      expect(await activateAll([await huskProcess(orders)])).toEqual([
        expect.stringMatching(/^fork-refused: .* seen before/),
      ]);
      expect(await activateAll([await huskProcess({ ...orders, lie: 'none' })])).toEqual(['active']);
    },
  );

  test('are refused when forkd is gone before they are activated', patience, async () => {
    const snapshot = await serve();
    const orders = { address: addressIn(ground.folder), snapshot, lie: 'none', ownStore: null } as const;
    const husk = await huskProcess(orders);
    await engine?.forkd.close();
    expect(await activateAll([husk])).toEqual([expect.stringMatching(/^node-unreachable: .* \| $/)]);
  });

  test('are refused when their template was removed, and its witnesses with it', patience, async () => {
    const snapshot = await serve();
    const orders = { address: addressIn(ground.folder), snapshot, lie: 'none', ownStore: null } as const;
    const husk = await huskProcess(orders);
    const [template] = engine?.forkd.templates() ?? [];
    await engine?.forkd.removeTemplate(template?.id ?? '');
    expect(await activateAll([husk])).toEqual([expect.stringMatching(/^no-such-template: .* \| $/)]);
    expect(ground.left().witnesses).toEqual([]);
  });
});

/** Octets that this process has read of files. */
const readSoFar = () => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

describe('a template that was handed over', () => {
  test('is the memory that forkd has, with every seal, and not to be written', async () => {
    const digest = await serve();
    const taken = await take(digest);
    expect(taken.digest).toBe(digest);
    for (const { fd, octets } of [taken.memory, taken.deviceState]) {
      expect(isSealed(fd)).toBe(true);
      expect(fstatSync(fd).size).toBe(octets);
      expect(() => writeSync(fd, 'x')).toThrow(/EBADF|EPERM/);
      expect(() => writeFileSync(`/proc/self/fd/${fd}`, 'x', { flag: 'r+' })).toThrow(/EPERM/);
    }
    const again = await take(digest);
    const inode = ({ memory }: typeof taken) => fstatSync(memory.fd).ino;
    expect(inode(again)).toBe(inode(taken));
    taken.close();
    again.close();
  });

  test('is read once by each husk that takes it, and not again when that husk prepares from it', async () => {
    const digest = await serve();
    const before = readSoFar();
    const taken = await take(digest);
    const { octets } = taken.memory;
    expect(readSoFar() - before).toBeGreaterThan(octets);
    // The fake reads what its guest remembers, once: as a VMM maps it.
    const sinceTaken = readSoFar();
    const prepared = await vmm().prepare(taken, { tapFd: null });
    expect(readSoFar() - sinceTaken).toBeLessThan(1.5 * octets);
    await prepared.stop();
    taken.close();
  });

  test('is none when no template of that snapshot stands', async () => {
    await serve();
    await expect(take(snapshotNamed('another'))).rejects.toMatchObject({ code: 'no-such-template' });
  });
});

/** @returns how it ended for who says that: what came before the end */
function speak(text: string, more: string | null = null): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect(`${ground.folder}/node.sock`);
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (more !== null) socket.write(more);
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => resolve(heard));
    socket.write(text);
  });
}

const asked = (ask: string, more: object = {}) =>
  `${JSON.stringify({ v: 1, ask, snapshot: snapshotNamed('one'), ...more })}\n`;

describe('the node socket', () => {
  const open = (more: Parameters<typeof socketIn>[1] = {}) => {
    const store = {
      insert: async () => 'inserted' as const,
      nextGeneration: async () => 7,
      isAdmitted: async () => false,
    };
    return NodeSocket.open(socketIn(ground.folder, more), {
      ...{ store, log, isTemplate: () => true },
      withTemplate: () => Promise.reject(new Error('none')),
    });
  };

  test('hears one who speaks the protocol, until that one has said nothing for long enough', async () => {
    const socket = await open({ limits: { requestMs: 100 } });
    expect(await speak(asked('next-generation', { above: 0 }))).toBe('{"v":1,"ok":true,"generation":7}\n');
    await socket.close();
  });

  test.each([
    ['garbage', 'garbage\n'],
    ['an empty line', '\n'],
    ['a list', '[]\n'],
    ['another version', `${JSON.stringify({ v: 2, ask: 'template', snapshot: snapshotNamed('one') })}\n`],
    ['a request to forget', asked('forget')],
    ['a request to close', asked('close')],
    ['a path for a digest', asked('template', { snapshot: '../../etc' })],
    ['a generation that is none', asked('next-generation', { above: -1 })],
    ['no keys', asked('insert', { generation: 1 })],
    ['two requests at once', asked('next-generation', { above: 0 }).repeat(2)],
    ['a line without end', 'x'.repeat(5_000)],
    ['half a line, and then nothing', asked('template').slice(0, 20)],
  ])('hangs up on %s, unanswered', async (_what, text) => {
    const socket = await open({ limits: { requestMs: 300 } });
    expect(await speak(text)).toBe('');
    await socket.close();
  });

  test('hangs up on a peer of another user or group, which has then no store', async () => {
    for (const peer of [
      { uid: uid + 1, gid },
      { uid, gid: gid + 1 },
    ]) {
      const socket = await open({ peers: [peer] });
      expect(await speak(asked('next-generation', { above: 0 }))).toBe('');
      const witnesses = new NodeWitnesses(addressIn(ground.folder), { deadlineMs: 5_000 });
      expect(await witnesses.insert(snapshotNamed('one'), 1, ['sample:a'])).toBe('failed');
      await expect(witnesses.nextGeneration(snapshotNamed('one'), 0)).rejects.toMatchObject({
        code: 'node-unreachable',
      });
      await witnesses.close();
      await socket.close();
    }
  });

  test('hears so many of one process and so many in all, and others again when those are gone', async () => {
    for (const limits of [{ connectionsOfProcess: 2 }, { connections: 2 }]) {
      const socket = await open({ limits });
      const idle = [1, 2].map(() => connect(`${ground.folder}/node.sock`));
      await Promise.all(idle.map((one) => new Promise((resolve) => one.once('connect', resolve))));
      expect(await speak(asked('next-generation', { above: 0 }))).toBe('');
      for (const one of idle) one.destroy();
      const witnesses = new NodeWitnesses(addressIn(ground.folder));
      await expect
        .poll(() => witnesses.nextGeneration(snapshotNamed('one'), 0).catch(() => null), { timeout: 20_000 })
        .toBe(7);
      await witnesses.close();
      await socket.close();
    }
  });

  test('takes the place of a killed one, and never that of one who listens, or of a file', async () => {
    const socket = await open();
    await expect(open()).rejects.toMatchObject({ code: 'node-socket-taken' });
    await socket.close();
    const child = new Talker('node-forkd', [ground.folder]);
    expect(await child.hear()).toMatch(/^[0-9a-f]{64}$/);
    await child.end();
    expect(lstatSync(`${ground.folder}/node.sock`).isSocket()).toBe(true);
    await (await open()).close();
    writeFileSync(`${ground.folder}/node.sock`, 'not a socket');
    await expect(open()).rejects.toMatchObject({ code: 'node-socket-taken' });
    expect(readFileSync(`${ground.folder}/node.sock`, 'utf8')).toBe('not a socket');
  });
});
