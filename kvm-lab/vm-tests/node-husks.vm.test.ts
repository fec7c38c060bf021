/**
 * Husks as processes on QEMU that have template and witnesses from a forkd which is a process too: what their guests
 * reach, siblings with one sample, a forkd that is killed in the middle, husks that are drained and killed.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync, renameSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hosts, policy } from '../providers/topology.ts';
import { endAll, processesBelow } from './main-process.ts';
import { alive, NodeHuskGround, type PodHusk } from './node-husk-ground.ts';
import { type Meddling, NodeRelay } from './node-relay.ts';

const patience = { timeout: 900_000 };
const goneMs = 20_000;
const secret = 'not for everybody';
const order = {
  ask: 'activate',
  policy: { ...policy, allow: [...policy.allow, 'tcp://*.ok.test:443'] },
  secrets: [{ name: 'key', value: secret, envVar: 'KEY' }],
} as const;

let ground: NodeHuskGround;
beforeAll(async () => {
  ground = await NodeHuskGround.open(['honest', 'same-sample'], 2, randomBytes(32));
}, 900_000);
afterAll(async () => {
  await ground?.close();
  await endAll();
});

const snapshotOf = (kind: 'honest' | 'same-sample') => ground.snapshots.get(kind) ?? '';

async function dormant(index: number, kind: 'honest' | 'same-sample', main?: 'husk'): Promise<PodHusk> {
  const husk = await ground.husk(index, main);
  const answer = await husk.ask({ ask: 'prepare', snapshot: snapshotOf(kind) });
  expect(answer).toMatchObject({ ok: true, phase: 'dormant', snapshot: snapshotOf(kind) });
  return husk;
}

/** Its end, once it has come: its VM is gone, and what was in its pod. */
async function ended(index: number, husk: PodHusk, below: readonly number[]) {
  const { code, errors } = await husk.running.ended;
  expect(below.length).toBeGreaterThan(0);
  await expect.poll(() => alive(below), { timeout: goneMs }).toEqual([]);
  expect(ground.leftIn(index)).toEqual([]);
  expect(errors).not.toContain(secret);
  return { code, errors };
}

const dial = (to: string) =>
  [
    ...['node', '-e'],
    `const s=require("net").connect(443,"${to}");s.setTimeout(8000,()=>{console.log("nothing");s.destroy()});s.on("data",(d)=>console.log(String(d)));s.on("error",(e)=>console.log(e.code))`,
  ] as const;

test(
  'a husk’s guest is forkd’s template, activated once, and reaches what the policy allows as it is then',
  patience,
  async () => {
    const husk = await dormant(0, 'honest');
    const below = processesBelow(husk.running.pid);
    const both = await Promise.all([husk.ask(order), husk.ask(order)]);
    expect(both.filter((answer) => answer?.ok === true)).toHaveLength(1);
    expect(both.find((answer) => answer?.ok === false)).toMatchObject({ code: 'husk-not-dormant' });
    expect(await husk.ask(order)).toMatchObject({ ok: false, code: 'husk-not-dormant', phase: 'active' });
    expect(await husk.said('/bin/sh', '-c', 'echo $KEY')).toBe(secret);

    expect(await husk.said(...dial(hosts.allowed))).toBe('reached');
    expect(await husk.said(...dial(hosts.forbidden))).not.toContain('reached');
    expect(await husk.said(...dial(hosts.pinned))).not.toContain('reached');
    expect(await husk.said(...dial('name.ok.test'))).toBe('reached');
    expect(await husk.said(...dial(hosts.pinned))).toBe('reached');
    expect(await husk.said(...dial('name.forbidden.test'))).not.toContain('reached');

    const nothing = { egress: 'deny', allow: [], inbound: [] } as const;
    expect(await husk.ask({ ask: 'change-policy', policy: nothing })).toMatchObject({ ok: true });
    for (const host of [hosts.allowed, hosts.pinned, 'name.ok.test']) {
      expect(await husk.said(...dial(host))).not.toContain('reached');
    }
    expect(await husk.ask({ ask: 'terminate' })).toMatchObject({ ok: true, phase: 'ended' });
    expect((await ended(0, husk, below)).code).toBe(0);
  },
);

test('honest siblings both pass, and read nothing alike', patience, async () => {
  const husks = await Promise.all([dormant(0, 'honest'), dormant(1, 'honest')]);
  const below = husks.map(({ running }) => processesBelow(running.pid));
  const answers = await Promise.all(husks.map((husk) => husk.ask(order)));
  expect(answers).toMatchObject([{ ok: true }, { ok: true }]);
  expect(new Set(answers.map((answer) => answer?.ok === true && answer.generation)).size).toBe(2);
  const program =
    'const c=require("crypto");console.log(c.randomBytes(16).toString("hex"),c.randomUUID(),Math.random())';
  const words = await Promise.all(husks.map((husk) => husk.said('node', '-e', program)));
  expect(new Set(words.flatMap((one) => one.split(' '))).size).toBe(6);
  for (const [index, husk] of husks.entries()) {
    husk.running.child.kill('SIGTERM');
    expect((await ended(index, husk, below[index] ?? [])).code).toBe(0);
  }
});

/**
 * Two siblings with one sample, activated at the same time.
 * @param meddling between them and forkd, once they have their templates
 * @returns who passed, and what the others were told
 */
async function twins(meddling: Meddling | null = null): Promise<{ passed: number; refusals: string[] }> {
  const husks = await Promise.all([dormant(0, 'same-sample'), dormant(1, 'same-sample')]);
  const below = husks.map(({ running }) => processesBelow(running.pid));
  const relay = meddling === null ? null : await NodeRelay.open(ground.socket, meddling);
  const answers = await Promise.all(husks.map((husk) => husk.ask(order)));
  await relay?.close();
  for (const [index, husk] of husks.entries()) {
    const hasPassed = answers[index]?.ok === true;
    if (hasPassed) await husk.ask({ ask: 'terminate' });
    expect((await ended(index, husk, below[index] ?? [])).code).toBe(hasPassed ? 0 : 2);
  }
  const refusals = answers.flatMap((answer) => (answer?.ok === false ? [answer.message] : []));
  return { passed: answers.length - refusals.length, refusals };
}

test(
  'siblings with one sample never both pass: one does, and later none; where the store lies, both do',
  patience,
  async () => {
    const first = await twins();
    expect(first.passed).toBe(1);
    expect(first.refusals).toEqual([expect.stringMatching(/seen before for this snapshot/)]);
    expect((await twins()).passed).toBe(0);
    const said = (line: string) =>
      line.includes('"insert"') ? '{"v":1,"ok":true,"answer":"inserted"}\n' : null;
    expect((await twins({ asked: said })).passed).toBe(2);
  },
);

test(
  'a forkd that is killed after any question of an activation leaves that husk refused and reaped',
  patience,
  async () => {
    let asked = 0;
    for (let last = 1; last === 1 || asked >= last - 1; last++) {
      const husk = await dormant(0, 'honest');
      const below = processesBelow(husk.running.pid);
      let left: (() => number[]) | null = null;
      const relay = await NodeRelay.open(ground.socket, {
        answered: async (count) => {
          if (count < last) return true;
          // It has done what it was asked for, and its answer never comes.
          ({ left } = (await ground.forkd?.end('SIGKILL')) ?? { left: () => [] });
          return false;
        },
      });
      const answer = await husk.ask(order);
      asked = relay.lines.length;
      await relay.close();
      if (asked < last) {
        // As many as there are came through: the control.
        expect(answer).toMatchObject({ ok: true });
        await husk.ask({ ask: 'terminate' });
        expect((await ended(0, husk, below)).code).toBe(0);
        break;
      }
      expect(answer).toMatchObject({
        ok: false,
        phase: 'ended',
        code: last === 1 ? 'node-unreachable' : 'fork-refused',
      });
      const { code, errors } = await ended(0, husk, below);
      expect(code).toBe(2);
      expect(errors).toContain(last === 1 ? '[node-unreachable]' : '[fork-refused]');
      await expect.poll(() => left?.() ?? ['forkd was not killed'], { timeout: goneMs }).toEqual([]);
      await ground.startForkd();
    }
    expect(asked).toBeGreaterThanOrEqual(2);
  },
);

test(
  'the husk’s main: killed, its VM dies with it, and the next start takes away the rest and serves; it drains at SIGTERM',
  patience,
  async () => {
    const first = await dormant(0, 'honest', 'husk');
    expect(await first.ask(order)).toMatchObject({ ok: true });
    const killed = await first.running.end('SIGKILL');
    expect(killed.below.length).toBeGreaterThan(0);
    await expect.poll(killed.left, { timeout: goneMs }).toEqual([]);
    expect(ground.leftIn(0)).toContain('rules');

    const second = await ground.husk(0, 'husk');
    expect(ground.pods[0]?.run('ip', ['-o', 'link'])).not.toContain('tap');
    expect(await second.ask({ ask: 'prepare', snapshot: snapshotOf('honest') })).toMatchObject({
      phase: 'dormant',
    });
    expect(await second.ask(order)).toMatchObject({ ok: true, phase: 'active' });
    const below = processesBelow(second.running.pid);
    second.running.child.kill('SIGTERM');
    expect((await ended(0, second, below)).code).toBe(0);
    expect(existsSync(`${ground.folder}/husk-0.sock`)).toBe(false);
  },
);

test(
  'the husk’s main serves a control socket that it was passed, which nothing that it starts has',
  patience,
  async () => {
    const path = `${ground.folder}/passed.sock`;
    const listener = createServer().listen(path);
    await once(listener, 'listening');
    const { _handle: handle } = listener as Server & { readonly _handle: { readonly fd: number } };
    const name = readlinkSync(`/proc/self/fd/${handle.fd}`);
    // Whoever closes it removes its path.
    const moved = `${path}.moved`;
    renameSync(path, moved);
    const husk = await ground.husk(0, 'husk', { fd: handle.fd, path: moved });
    listener.close();
    expect(await husk.ask({ ask: 'prepare', snapshot: snapshotOf('honest') })).toMatchObject({
      phase: 'dormant',
    });
    const below = processesBelow(husk.running.pid);
    const holders = [husk.running.pid, ...below].filter((pid) =>
      readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === name),
    );
    expect(holders).toEqual([husk.running.pid]);
    husk.running.child.kill('SIGTERM');
    expect((await ended(0, husk, below)).code).toBe(0);
  },
);
