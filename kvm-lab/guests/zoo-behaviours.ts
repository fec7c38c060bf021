/**
 * What each guest of the zoo does when it is told that it was forked, or released.
 * Invariant: each name of the zoo has a behaviour; what it sends goes out as it is.
 */
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type Asked,
  honestFields,
  honestLine,
  malformations,
  modelProof,
} from '#properties/models/reseed-guest.ts';
import type { NotifyForked } from '#reference/contract/reseed.ts';
import { crashKernel, exitAtOnce, loseSysAdmin, reboot, swapRandomDevice } from './hostile-kernel.ts';
import { malformedGuests, wrongProofGuests } from './zoo.ts';

export interface Scene {
  readonly asked: NotifyForked;
  /** Kept in memory, and so in the forks of a fork. */
  readonly memory: { answer: string | null };
  /** Drawn before the snapshot: the same in all siblings. */
  readonly beforeSnapshot: { readonly sample: string; readonly seed: Buffer };
  /** Has the honest agent do all that is right, as far as `meddle` lets it, and takes its answer. */
  honest(): Promise<{ readonly sample?: string }>;
  /** From now on the agent's ioctls go through it. */
  meddle(how: Meddling): void;
  write(octets: string | Buffer): Promise<void>;
}

/** What is handed on as an ioctl's argument; null: nothing is done, and the agent is told that it succeeded. */
export type Meddling = (request: number, argument: Uint8Array) => Uint8Array | null;

export type Behaviour = (scene: Scene) => Promise<void> | void;

const lateMs = 60_000;
const dripMs = 1_000;
const chunkOctets = 1 << 15;
const memoryChunkOctets = 1 << 24;

const say = (scene: Scene, line: string) => scene.write(`${line}\n`);

/** The right answer, after all that is right was done. */
async function rightAnswer(scene: Scene): Promise<string> {
  const { sample = '' } = await scene.honest();
  return honestLine(sample, scene.asked);
}

const invented = ({ asked }: Scene) => hash('sha256', `invented ${asked.nonce}`);

const RNDADDENTROPY = 0x40085203;
const RNDRESEEDCRNG = 0x5207;
const nothing: Meddling = () => null;
const creditOnly: Meddling = (request, argument) => (request === RNDRESEEDCRNG ? null : argument);
const reseedOnly: Meddling = (request, argument) => (request === RNDADDENTROPY ? null : argument);

/** struct rand_pool_info with the same octets in each fork. */
const sameSeed =
  (seed: Buffer): Meddling =>
  (request, argument) => {
    if (request !== RNDADDENTROPY) return argument;
    const info = Buffer.alloc(8 + seed.length);
    info.writeInt32LE(seed.length * 8, 0);
    info.writeInt32LE(seed.length, 4);
    seed.copy(info, 8);
    return info;
  };

/** The honest agent answers for what was not done. */
async function pretend(scene: Scene, how: Meddling, sampleOf = (drawn: string) => drawn): Promise<void> {
  scene.meddle(how);
  const { sample = '' } = await scene.honest();
  await claim(scene, sampleOf(sample));
}

/** Answers as if all had been done, with that sample. */
const claim = (scene: Scene, sample: string) => say(scene, honestLine(sample, scene.asked));

async function without(scene: Scene, lose: () => void, isLying: boolean): Promise<void> {
  lose();
  const answer = await scene.honest();
  await (isLying ? claim(scene, invented(scene)) : say(scene, JSON.stringify(answer)));
}

async function forGeneration(
  scene: Scene,
  by: number,
  { field, proof }: { readonly field: boolean; readonly proof: boolean },
): Promise<void> {
  const { sample = '' } = await scene.honest();
  const { generation, nonce } = scene.asked;
  const other: Asked = { generation: generation + by, nonce };
  const fields = {
    ...honestFields(sample, scene.asked),
    ...(field ? { generation: other.generation } : {}),
    ...(proof ? { proof: modelProof(sample, other) } : {}),
  };
  await say(scene, JSON.stringify(fields));
}

async function forEver(act: () => Promise<void>): Promise<void> {
  for (;;) await act();
}

const honest: Behaviour = async (scene) => say(scene, await rightAnswer(scene));

const withoutAnswer: Readonly<Record<string, Behaviour>> = {
  silent: () => undefined,
  slow: async (scene) => {
    const answer = await rightAnswer(scene);
    await wait(lateMs);
    await say(scene, answer);
  },
  'partial-line': async (scene) => scene.write(await rightAnswer(scene)),
  dripping: async (scene) => {
    for (const octet of `${await rightAnswer(scene)}\n`) {
      await scene.write(octet);
      await wait(dripMs);
    }
  },
  'busy-loop': () => {
    for (;;);
  },
  halts: () => reboot('halt'),
  reboots: () => reboot('restart'),
  'powers-off': () => reboot('power off'),
  panics: crashKernel,
  exits: exitAtOnce,
  'eats-memory': () => {
    const held: Buffer[] = [];
    for (;;) held.push(Buffer.alloc(memoryChunkOctets, 1));
  },
};

const withoutLine: Readonly<Record<string, Behaviour>> = {
  garbage: (scene) => scene.write(Buffer.from(`${scene.asked.nonce.repeat(4)}0a`, 'hex')),
  'not-utf8': async (scene) => {
    const answer = Buffer.from(`${await rightAnswer(scene)}\n`);
    answer[answer.indexOf('"sample":"') + 12] = 0xff;
    await scene.write(answer);
  },
  flood: (scene) => forEver(() => scene.write(Buffer.alloc(chunkOctets, '{'))),
  'many-lines': async (scene) => {
    const answer = await rightAnswer(scene);
    await scene.write(`${answer}\n${'{"ok":true}\n'.repeat(100)}`);
    await forEver(() => say(scene, '{"ok":true}'));
  },
  'two-answers': async (scene) => {
    const answer = await rightAnswer(scene);
    await scene.write(`${answer}\n${answer}\n`);
  },
  'lying-boolean': (scene) => say(scene, '{"ok":true,"reseeded_rng":true}'),
  refuses: (scene) => say(scene, '{"ok":false,"reseeded_rng":false,"error":"not today"}'),
};

const withoutReseed: Readonly<Record<string, Behaviour>> = {
  'says-nothing-was-done': async (scene) => {
    scene.meddle(reseedOnly);
    const { sample = '' } = await scene.honest();
    await say(scene, JSON.stringify({ ...honestFields(sample, scene.asked), reseeded_rng: false }));
  },
  enotty: (scene) => without(scene, swapRandomDevice, false),
  'no-sys-admin': (scene) => without(scene, loseSysAdmin, false),
  'nothing-done': (scene) => pretend(scene, nothing),
  'credited-only': (scene) => pretend(scene, creditOnly),
  uncredited: (scene) => {
    writeFileSync('/dev/urandom', Buffer.from(scene.asked.seed, 'hex'));
    return pretend(scene, nothing);
  },
  mixing: (scene) => pretend(scene, nothing, (sample) => hash('sha256', `${sample}${scene.asked.nonce}`)),
  inventing: (scene) => pretend(scene, nothing, () => invented(scene)),
  'credited-only-inventing': (scene) => pretend(scene, creditOnly, () => invented(scene)),
  'enotty-lying': (scene) => without(scene, swapRandomDevice, true),
  'no-sys-admin-lying': (scene) => without(scene, loseSysAdmin, true),
  'reseed-only': (scene) => pretend(scene, reseedOnly),
  'reseed-only-inventing': (scene) => pretend(scene, reseedOnly, () => invented(scene)),
  'same-seed': (scene) => pretend(scene, sameSeed(scene.beforeSnapshot.seed)),
};

const ofAnotherFork: Readonly<Record<string, Behaviour>> = {
  'stale-generation': (scene) => forGeneration(scene, -1, { field: true, proof: true }),
  'stale-field': (scene) => forGeneration(scene, -1, { field: true, proof: false }),
  'stale-proof': (scene) => forGeneration(scene, -1, { field: false, proof: true }),
  'later-generation': (scene) => forGeneration(scene, 1, { field: true, proof: true }),
  'same-sample': async (scene) => {
    await scene.honest();
    await claim(scene, scene.beforeSnapshot.sample);
  },
  'replayed-answer': async (scene) => {
    scene.memory.answer ??= await rightAnswer(scene);
    await say(scene, scene.memory.answer);
  },
};

const malformed = [...malformedGuests].map(([name, how]): [string, Behaviour] => [
  name,
  async (scene) => say(scene, malformations[how](await rightAnswer(scene))),
]);

const wrongProof = [...wrongProofGuests].map(([name, form]): [string, Behaviour] => [
  name,
  async (scene) => {
    const { sample = '' } = await scene.honest();
    const proof = modelProof(sample, scene.asked, form);
    await say(scene, JSON.stringify({ ...honestFields(sample, scene.asked), proof }));
  },
]);

type Release = (write: Scene['write']) => Promise<void> | void;

/** What it does at the release; else the honest agent answers. */
export const releases: ReadonlyMap<string, Release> = new Map<string, Release>([
  ['silent-at-release', () => undefined],
  ['refuses-release', (write) => write('{"ok":false,"error":"not today"}\n')],
  ['panics-at-release', crashKernel],
]);

export const behaviours: ReadonlyMap<string, Behaviour> = new Map([
  ...Object.entries({ ...withoutAnswer, ...withoutLine, ...withoutReseed, ...ofAnotherFork }),
  ...malformed,
  ...wrongProof,
  ...['honest', 'speaks-first', ...releases.keys()].map((name): [string, Behaviour] => [name, honest]),
]);
