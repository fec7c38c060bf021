/** The executor of the gate against the zoo: who diverged is released, everybody else is reaped, on a real store. */
import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openLog } from '#reference/base/log.ts';
import type { WitnessPort } from '#reference/contract/witness-port.ts';
import { type ActivatedFork, Activation, type ForkSource } from '#reference/fork-engine/activation.ts';
import { hiddenLiar, liar } from '../arbitraries/reseed.ts';
import type { Guest } from '../models/guest-zoo.ts';
import { type Asked, malformationNames, proofForms } from '../models/reseed-guest.ts';
import { snapshotNamed, WitnessGround } from './witness-ground.ts';
import { generatorAtSnapshot, type Manners, rudeManners, ZooVm } from './zoo-vm.ts';

const deadlineMs = 1_500;
const log = openLog('test', 'silent');
const sourceOf = (snapshot: string, readsGenerator: boolean): ForkSource => ({
  digest: snapshot,
  generatorAtSnapshot: readsGenerator ? generatorAtSnapshot : null,
  readsGenerator,
  generation: 0,
});

interface Member {
  readonly guest: Guest;
  readonly manners: Manners;
}

interface Passed {
  readonly member: Member;
  readonly vm: ZooVm;
  readonly released: ActivatedFork | null;
  /** The message of what it was refused with. */
  readonly refusal: string | null;
}

const honest: Member = { guest: { kind: 'honest' }, manners: 'well' };

class Crowd {
  readonly activation: Activation;
  readonly source: ForkSource;
  readonly #first: { asked: Asked | null };
  #index: number;

  /** @param before forks of an earlier run of the host */
  constructor(
    store: WitnessPort,
    hostWitness: boolean,
    snapshot = 'crowd',
    limits = {},
    before: { count: number; first: { asked: Asked | null } } = { count: 0, first: { asked: null } },
  ) {
    this.#index = before.count;
    this.#first = before.first;
    this.activation = new Activation(store, log, { deadlineMs, ...limits });
    this.source = sourceOf(snapshotNamed(snapshot), hostWitness);
  }

  async pass(member: Member): Promise<Passed> {
    const index = this.#index++;
    const context = { index, deadlineMs, elapsedMs: 0, hostWitness: this.source.readsGenerator };
    const vm = new ZooVm(`vm-${index}`, { ...member, context }, this.#first);
    try {
      const released = await this.activation.activate({ vm, source: this.source, reap: () => vm.stop() });
      return { member, vm, released, refusal: null };
    } catch (error) {
      return { member, vm, released: null, refusal: error instanceof Error ? error.message : String(error) };
    }
  }

  async end(): Promise<void> {
    for (let index = 0; index < this.#index; index++) await this.activation.end(`vm-${index}`);
    expect(this.activation.size).toBe(0);
  }
}

const nameOf = ({ guest, manners }: Member) => `${JSON.stringify(guest)}, ${manners}`;

/** Nobody who may not pass has passed; whoever was refused is gone, and was never asked to thaw before the gate. */
function judge(passed: readonly Passed[]): void {
  const marks = new Map<string, string>();
  for (const { member, vm, released, refusal } of passed) {
    const name = nameOf(member);
    if (released === null) {
      expect(vm.isGone, `${name} is refused (${refusal}), and something of it is left`).toBe(true);
      continue;
    }
    expect(vm.answer?.wrong, name).toBe(null);
    expect(vm.asked, name).toEqual(['notify_forked', 'release']);
    for (const mark of vm.answer?.marks ?? []) {
      expect(marks.get(mark), `${name} shows what another one has shown`).toBe(undefined);
      marks.set(mark, name);
    }
  }
}

const wellMannered: readonly Manners[] = ['well', 'the answer in single octets'];
const liars: readonly Guest[] = [
  ...malformationNames.map((how) => ({ kind: 'malformed', how }) as const),
  ...proofForms.flatMap((form) => (form === 'as specified' ? [] : [{ kind: 'wrong proof', form } as const])),
  ...[1, -1, 256, 2 ** 32].flatMap((by) => [
    { kind: 'stale', by, field: true, proof: true } as const,
    { kind: 'stale', by, field: false, proof: true } as const,
  ]),
  { kind: 'silent' },
  { kind: 'slow', lateMs: 1 },
  { kind: 'slow', lateMs: 500 },
  { kind: 'lying boolean' },
  { kind: 'replaying' },
  { kind: "sibling's sample" },
  { kind: 'credited only' },
  { kind: 'credited only' },
  { kind: 'reseed only' },
  { kind: 'reseed only' },
  { kind: 'mixing' },
  { kind: 'inventing' },
  { kind: 'unread' },
  { kind: 'reseed only, inventing' },
  { kind: 'reseed only, inventing' },
];

describe.each([true, false])('with the host-side witness: %s', (hostWitness) => {
  test('honest forks are always released, all of them at once', async () => {
    using ground = new WitnessGround();
    const store = await ground.open();
    const crowd = new Crowd(store, hostWitness);
    const members = Array.from({ length: 64 }, (_, index) => ({
      ...honest,
      manners: wellMannered[index % 2] as Manners,
    }));
    const passed = await Promise.all(members.map((member) => crowd.pass(member)));
    expect(passed.filter(({ released }) => released === null).map(({ refusal }) => refusal)).toEqual([]);
    judge(passed);
    const generations = passed.map(({ released }) => released?.generation);
    expect(new Set(generations).size).toBe(passed.length);
    await crowd.end();
    expect(passed.every(({ vm }) => vm.isGone)).toBe(true);
    await store.close();
  });

  test('the whole zoo is refused and reaped, while honest forks beside it pass', async () => {
    using ground = new WitnessGround();
    const store = await ground.open();
    const crowd = new Crowd(store, hostWitness);
    const first = await crowd.pass(honest);
    const members: Member[] = [
      ...liars.map((guest) => ({ guest, manners: 'well' as const })),
      ...rudeManners.map((manners) => ({ guest: { kind: 'honest' } as const, manners })),
      honest,
      honest,
    ];
    const rest = await Promise.all(members.map((member) => crowd.pass(member)));
    judge([first, ...rest]);
    const wrong = rest.filter(({ member, vm, released }) => {
      const isRude =
        rudeManners.includes(member.manners) && (hostWitness || !member.manners.includes('generator'));
      return released !== null && (isRude || vm.answer?.wrong !== null);
    });
    expect(wrong.map(({ member }) => nameOf(member))).toEqual([]);
    const ofHonest = [first, ...rest.slice(-2)].map(({ refusal }) => refusal);
    expect(ofHonest).toEqual([null, null, null]);
    // Without the witness these cannot be told from honest ones; each of them shows another sample.
    const liarsThatPassed = rest.slice(0, liars.length).filter(({ released }) => released !== null);
    const kinds = new Set(liarsThatPassed.map(({ member }) => member.guest.kind));
    // Four forks with one generator: the first one of them passes.
    if (hostWitness) expect(liarsThatPassed.length).toBe(1);
    expect([...kinds].toSorted()).toEqual(
      hostWitness
        ? ['reseed only']
        : ['credited only', 'inventing', 'mixing', 'reseed only', 'reseed only, inventing', 'unread'],
    );
    await crowd.end();
    await store.close();
  });
});

test('any crowd, in any order, over restarts of the host: siblings that share a generator never both pass', async () => {
  const shown = liar.filter(({ kind }) => kind !== 'slow' && kind !== 'silent');
  // Lies that only the witness shows are told only where there is one.
  const crowdOf = (hostWitness: boolean) => {
    const guest = fc.oneof(
      { weight: 1, arbitrary: fc.constant<Guest>({ kind: 'honest' }) },
      { weight: 2, arbitrary: hostWitness ? fc.oneof(shown, hiddenLiar) : shown },
    );
    const batch = fc.array(guest, { minLength: 1, maxLength: 4 });
    return fc.tuple(fc.array(batch, { minLength: 1, maxLength: 3 }), fc.constant(hostWitness));
  };
  await fc.assert(
    fc.asyncProperty(fc.boolean().chain(crowdOf), async ([crowds, hostWitness]) => {
      using ground = new WitnessGround();
      const passed: Passed[] = [];
      const first: { asked: Asked | null } = { asked: null };
      for (const guests of crowds) {
        // A restart: the store alone is left.
        const store = await ground.open();
        const crowd = new Crowd(store, hostWitness, 'crowd', {}, { count: passed.length, first });
        passed.push(...(await Promise.all(guests.map((one) => crowd.pass({ guest: one, manners: 'well' })))));
        await crowd.end();
        await store.close();
      }
      judge(passed);
    }),
    { numRuns: 40 },
  );
});

test('nothing is delivered before the release, nor after the end', async () => {
  using ground = new WitnessGround();
  const store = await ground.open();
  const crowd = new Crowd(store, false);
  const passing = crowd.pass(honest);
  const deliver = () => crowd.activation.deliver('vm-0', 'secrets');
  expect(deliver).toThrow(expect.objectContaining({ code: 'not-released' }));
  await passing;
  deliver();
  await crowd.activation.end('vm-0');
  expect(deliver).toThrow(expect.objectContaining({ code: 'not-released' }));
  await store.close();
});

test.each(['present', 'full', 'failed', 'throws'] as const)(
  'a store that says %s refuses every fork',
  async (word) => {
    const store: WitnessPort = {
      insert: () => (word === 'throws' ? Promise.reject(new Error('broken')) : Promise.resolve(word)),
      nextGeneration: () => Promise.resolve(1),
      isAdmitted: () => Promise.resolve(false),
      close: () => Promise.resolve(),
    };
    const crowd = new Crowd(store, false);
    const { vm, refusal } = await crowd.pass(honest);
    expect(refusal).toContain('refused');
    // Not even a seed has gone out.
    expect(vm.asked).toEqual([]);
    expect(vm.isGone).toBe(true);
  },
);

test('a store that never answers, and one that has no generation: refused and reaped', async () => {
  const silent: WitnessPort = {
    insert: () => new Promise(() => undefined),
    nextGeneration: () => Promise.resolve(1),
    isAdmitted: () => Promise.resolve(false),
    close: () => Promise.resolve(),
  };
  for (const store of [silent, { ...silent, nextGeneration: () => Promise.reject(new Error('full')) }]) {
    const { vm, refusal } = await new Crowd(store, false, 'one', { deadlineMs: 50 }).pass(honest);
    expect(refusal).not.toBe(null);
    expect(vm.isGone).toBe(true);
  }
});

test('one fork more than it may know is refused; when one has ended, another one fits', async () => {
  using ground = new WitnessGround();
  const store = await ground.open();
  const crowd = new Crowd(store, false, 'one', { maxForks: 2 });
  await crowd.pass(honest);
  await crowd.pass(honest);
  const third = await crowd.pass(honest);
  expect(third.refusal).toContain('too many forks');
  expect(third.vm.isGone).toBe(true);
  await crowd.activation.end('vm-0');
  expect((await crowd.pass(honest)).refusal).toBe(null);
  await crowd.end();
  await store.close();
});

test('a fork of which something is left is told as such, not as refused', async () => {
  using ground = new WitnessGround();
  const store = await ground.open();
  const activation = new Activation(store, log, { deadlineMs });
  const context = { index: 0, deadlineMs, elapsedMs: 0, hostWitness: false };
  const vm = new ZooVm(
    'vm-0',
    { guest: { kind: 'lying boolean' }, manners: 'well', context },
    { asked: null },
  );
  const source = sourceOf(snapshotNamed('left'), false);
  const reap = () => vm.stop().then(() => Promise.reject(new Error('the tap is still there')));
  await expect(activation.activate({ vm, source, reap })).rejects.toMatchObject({ code: 'fork-not-reaped' });
  await store.close();
});

test('no word of the log holds a seed, a nonce or a sample', async () => {
  using ground = new WitnessGround();
  const store = await ground.open();
  const said: string[] = [];
  const hear = (...words: unknown[]) => void said.push(JSON.stringify(words));
  const loud = { debug: hear, info: hear, warn: hear, error: hear };
  const crowd = new Crowd(store, false);
  const activation = new Activation(store, loud, { deadlineMs: 200 });
  const secrets: string[] = [];
  for (const [index, guest] of liars.slice(0, 20).entries()) {
    const context = { index, deadlineMs: 200, elapsedMs: 0, hostWitness: false };
    const vm = new ZooVm(`vm-${index}`, { guest, manners: 'well', context }, { asked: null });
    const write = vm.channel().write.bind(vm.channel());
    vm.channel().write = ((chunk: Buffer) => {
      const { seed, nonce } = JSON.parse(chunk.toString()) as { seed?: string; nonce?: string };
      for (const secret of [seed, nonce]) if (secret !== undefined) secrets.push(secret);
      return write(chunk);
    }) as typeof write;
    await activation.activate({ vm, source: crowd.source, reap: () => vm.stop() }).catch(hear);
  }
  expect(secrets.length).toBeGreaterThan(20);
  const words = said.join('\n');
  for (const secret of [...secrets, hash('sha256', 'drawn after the reseed of fork 0')]) {
    expect(words.includes(secret.slice(0, 16))).toBe(false);
  }
  await store.close();
});
