/** A husk before whoever is not forkd, or a forkd that is not well: it refuses, and keeps no descriptor. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import { takeTemplate } from '#reference/husk/node-templates.ts';
import { NodeWitnesses } from '#reference/husk/node-witnesses.ts';
import { FakeVmm } from '#reference/vmm/fake-vmm.ts';
import { digestOf, manifestText } from '#reference/vmm/manifest/manifest.ts';
import { engineGuest } from './engine-guest.ts';
import { type FalseAnswer, FalseForkd } from './false-forkd.ts';
import { FakeHuskGround } from './husk-ground.ts';
import { addressIn, openDescriptors } from './node-ground.ts';
import { snapshotNamed } from './witness-ground.ts';

let folder: string;
let opened: number[];
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/huskproof-link-`);
  opened = [];
});
afterEach(() => {
  for (const fd of opened) closeSync(fd);
  rmSync(folder, { recursive: true });
});

function memory(text: string, isSealed = true): number {
  const fd = createMemfd('test');
  opened.push(fd);
  writeSync(fd, text);
  if (isSealed) seal(fd);
  return fd;
}

const parts = ['memory', 'deviceState'];
const line = (said: object) => `${JSON.stringify({ v: 1, ok: true, ...said })}\n`;

const ask = async (answer: FalseAnswer | null, digest = snapshotNamed('one'), uid?: number) => {
  await using forkd = await FalseForkd.open(`${folder}/node.sock`, answer);
  const address = addressIn(folder);
  const before = openDescriptors();
  const vmm = new FakeVmm(engineGuest().program);
  const order = { vmm, digest, deadlineMs: 300 } as const;
  const said: unknown = await takeTemplate(uid === undefined ? address : { ...address, uid }, order).catch(
    (error: unknown) => error,
  );
  // The listener's own end may still be there.
  await expect.poll(() => openDescriptors() - before, { timeout: 5_000 }).toBeLessThanOrEqual(0);
  return { said, heard: forkd.heard.length };
};
const unreachable = expect.objectContaining({ code: 'node-unreachable' });

describe('a husk that asks for a template', () => {
  test.each([
    ['says nothing', null],
    ['hangs up', { text: '{"v":1', hangsUp: true }],
    ['answers with garbage', { text: 'garbage\n' }],
    ['speaks another version', { text: '{"v":2,"ok":true}\n' }],
    ['gives no manifest', { text: line({ parts }) }],
    ['gives no descriptor', { text: line({ parts, manifest: '{}' }) }],
    ['never ends its line', { text: 'x'.repeat(300_000) }],
    ['says more than an answer', { text: `${line({ parts, manifest: '{}' })}more` }],
    ['refuses in a way that is none', { text: '{"v":1,"ok":false,"code":7}\n' }],
  ] as const)('refuses when who listens %s', async (_what, answer) => {
    expect((await ask(answer)).said).toEqual(unreachable);
  });

  test.each([
    ['one', 1, parts],
    ['three', 3, parts],
    ['thirty', 30, parts],
    ['two of another order', 2, parts.toReversed()],
  ] as const)('refuses %s descriptors', async (_what, count, named) => {
    const descriptors = Array.from({ length: count }, () => memory('x'));
    const { said } = await ask({ text: line({ parts: named, manifest: '{}' }), descriptors });
    expect(said).toEqual(unreachable);
  });

  test('sends nothing to a listener of another user', async () => {
    const { said, heard } = await ask({ text: line({}) }, undefined, 4_000_000_000);
    expect(said).toEqual(unreachable);
    expect(heard).toBe(0);
  });

  test('refuses memory that is not sealed, no memory, another length, another manifest; with all of it right it is taken', async () => {
    const ground = await FakeHuskGround.open();
    try {
      const { manifest, digest, memory: whole, deviceState } = ground.snapshot;
      const text = manifestText(manifest);
      const handed = (first: number, manifestSaid = text) => ({
        text: line({ parts, manifest: manifestSaid }),
        descriptors: [first, deviceState.fd],
      });
      const refusals: [FalseAnswer, RegExp][] = [
        [handed(memory('x'.repeat(whole.octets), false)), /: memory: is not sealed/],
        [handed(memory('x')), /: memory.octets: /],
        [handed(whole.fd, text.replace('quiet', 'loud')), /: digest: /],
      ];
      const file = openSync(`${folder}/file`, 'w+');
      opened.push(file);
      refusals.push([handed(file), /: memory: is not sealed/]);
      for (const [answer, why] of refusals) {
        const { said } = await ask(answer, digest);
        expect(said).toMatchObject({ code: 'snapshot-mismatch', message: expect.stringMatching(why) });
      }
      // A manifest of another VMM, which is asked for by its digest.
      const other = manifestText({ ...manifest, vmm: { ...manifest.vmm, version: 'another' } });
      expect((await ask(handed(whole.fd, other), digestOf(other))).said).toMatchObject({
        message: expect.stringMatching(/: vmm.version: /),
      });
      await using _forkd = await FalseForkd.open(`${folder}/node.sock`, handed(whole.fd));
      const vmm = new FakeVmm(engineGuest().program);
      const order = { vmm, digest, deadlineMs: 5_000 } as const;
      const taken = await takeTemplate(addressIn(folder), order);
      expect(taken.digest).toBe(digest);
      taken.close();
      // The octets of another one, as long, with every seal.
      await using _liar = await FalseForkd.open(
        `${folder}/liar.sock`,
        handed(memory('x'.repeat(whole.octets))),
      );
      const liar = { ...addressIn(folder), path: `${folder}/liar.sock` };
      await expect(takeTemplate(liar, order)).rejects.toThrow(/: memory.sha256: /);
    } finally {
      await ground.close();
    }
  });
});

describe('a husk that asks for a witness', () => {
  test.each([
    ['says nothing', null],
    ['hangs up', { text: '', hangsUp: true }],
    ['answers with garbage', { text: 'garbage\n' }],
    ['says a word that is none', { text: line({ answer: 'yes', generation: 'seven', admitted: 'true' }) }],
    ['grants what was not asked for', { text: line({ manifest: '{}' }) }],
    ['says it twice', { text: line({ answer: 'inserted', generation: 7, admitted: true }).repeat(2) }],
    ['never ends its line', { text: `{"v":1,"ok":true,"answer":"inserted"${' '.repeat(5_000)}` }],
    ['speaks before it is asked', { text: line({ answer: 'inserted' }).slice(0, -1) }],
  ] as const)('fails when who listens %s', async (_what, answer) => {
    await using _forkd = await FalseForkd.open(`${folder}/node.sock`, answer);
    const witnesses = new NodeWitnesses(addressIn(folder), { deadlineMs: 300 });
    expect(await witnesses.insert(snapshotNamed('one'), 1, ['sample:a'])).toBe('failed');
    await expect(witnesses.nextGeneration(snapshotNamed('one'), 0)).rejects.toMatchObject({
      code: 'node-unreachable',
    });
    expect(await witnesses.isAdmitted(snapshotNamed('one'), 1).catch(() => false)).toBe(false);
    await witnesses.close();
  });

  test('never takes the answer to a call that came too late for that of the next', async () => {
    await using forkd = await FalseForkd.open(`${folder}/node.sock`, null);
    const witnesses = new NodeWitnesses(addressIn(folder), { deadlineMs: 100, waiting: 2 });
    const insert = () => witnesses.insert(snapshotNamed('one'), 1, ['sample:a']);
    expect(await Promise.all([insert(), insert(), insert()])).toEqual(['failed', 'failed', 'failed']);
    // The first alone was sent: the second came too late, and the third was one too many.
    expect(forkd.heard).toHaveLength(1);
    await witnesses.close();
    expect(await insert()).toBe('failed');
  });

  test('fails where nobody listens, and where the path is none', async () => {
    for (const path of [`${folder}/nobody.sock`, folder, `${folder}/${'x'.repeat(200)}`]) {
      const witnesses = new NodeWitnesses({ ...addressIn(folder), path });
      expect(await witnesses.insert(snapshotNamed('one'), 1, ['sample:a'])).toBe('failed');
      await witnesses.close();
    }
  });
});
