/**
 * The check against guests that are known: it accepts the honest one, and finds each of the zoo and each flaw by
 * name.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { zoo } from '#kvm-lab/guests/zoo.ts';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { failed, failures } from '../finding.ts';
import { type Checked, checkGuest } from './claims-of-guest.ts';
import { type GuestFlags, settingsOf } from './flags.ts';
import { type Practice, PracticeGuest, type Snapshot, snapshotOf, type Tamper } from './practice-guest.ts';
import type { Settings } from './settings.ts';

const folder = makeLabFolder('guest');
afterAll(() => removeLabFolder(folder));
let last = 0;

const numbers = {
  ...{ siblings: 2, forks: 16, octets: 32, perSecond: 5_000, durationMs: 60_000 },
  ...{ timeoutMs: 2_000, waitMs: 5_000, seed: 7, runs: 25 },
};

interface Given {
  readonly flags?: GuestFlags;
  readonly more?: Partial<Settings>;
  readonly forks?: number;
  readonly practice?: Partial<Practice>;
  readonly snapshot?: Partial<Snapshot>;
}

/** Forks of one snapshot, told and attacked. */
async function checked({
  flags = {},
  more = {},
  forks = 2,
  practice = {},
  snapshot,
}: Given): Promise<Checked> {
  last += 1;
  const run = last;
  const base = join(folder, String(run));
  const shared = snapshotOf(snapshot);
  const guests: PracticeGuest[] = [];
  try {
    for (let n = 1; n <= forks; n++) {
      guests.push(await PracticeGuest.open({ folder, snapshot: shared, ...practice, n: run * 100 + n }));
    }
    const words = {
      agent: guests.map(({ controlPath }) => `unix:${controlPath}`),
      services: guests.map(({ servicesPath }) => servicesPath),
      log: [`${base}.log`],
      ...flags,
    };
    writeFileSync(`${base}.log`, 'booted\n');
    const settings = { ...settingsOf(words, { ...numbers, forks: Math.max(2, forks) }), ...more };
    return await checkGuest(settings, new AbortController().signal);
  } finally {
    for (const guest of guests) guest.close();
  }
}

const outcomes = ({ claims }: Checked) =>
  Object.fromEntries(claims.flatMap(({ parts }) => parts).map(({ id, outcome }) => [id, outcome]));
const broken = ({ claims }: Checked) =>
  claims.flatMap(({ parts }) => parts).filter(({ outcome }) => failures.has(outcome));

describe('the honest agent', () => {
  test('holds every claim that its input is there for, with a fork for each attack', async () => {
    const found = await checked({ forks: 12 });
    expect(broken(found)).toEqual([]);
    const told = Object.fromEntries(found.claims.map(({ claim, outcome }) => [claim, outcome]));
    expect(told).toEqual({
      'F6.diverged': 'holds',
      'F6.reported': 'holds',
      'F6.userspace': 'unsupported',
      'F6.witness': 'holds',
      'F6.single-use': 'holds',
      'F6.order': 'holds',
      'F6.fresh': 'holds',
      'F6.credited': 'unsupported',
    });
    expect(found.forks).toBe(11);
  });

  test('by two forks alone leaves attacks not-run, each with what to give', async () => {
    const found = await checked({});
    expect(broken(found)).toEqual([]);
    const skipped = found.claims.find(({ claim }) => claim === 'F6.single-use')?.parts ?? [];
    const left = skipped.filter(({ outcome }) => outcome === 'not-run');
    expect(skipped.length - left.length).toBe(3);
    expect(left.every(({ give = '' }) => give.includes('--fork'))).toBe(true);
  });

  test('by one fork alone is never said to diverge', async () => {
    const found = await checked({ forks: 1 });
    expect(broken(found)).toEqual([]);
    expect(found.claims[0]).toMatchObject({ claim: 'F6.diverged', outcome: 'unsupported' });
    expect(outcomes(found)['answer/told']).toBe('holds');
  });

  test('is never said to diverge by its own word: samples apart, and nobody reads', async () => {
    const found = await checked({ flags: { services: [] } });
    expect(outcomes(found)).toMatchObject({ 'siblings/sample': 'holds', 'siblings/read': 'unsupported' });
    expect(found.claims[0]).toMatchObject({ claim: 'F6.diverged', outcome: 'unsupported' });
  });
});

describe('the zoo', () => {
  const judged = {
    claim: ['F6.diverged', 'F6.reported', 'F6.witness', 'F6.order'],
    part: [
      ...['siblings/sample', 'siblings/exec', 'siblings/reported'],
      ...['answer/told', 'answer/sibling', 'answer/again', 'release/told'],
    ],
  };
  /** Without a clock that tells them apart, so that what is not reseeded is the same. */
  const snapshot = { clock: 'deterministic' } as const;

  /** To those a short time is given, one after the other; the others answer, however late on a busy machine. */
  const hanging = ['silent', 'slow', 'partial-line', 'dripping', 'busy-loop', 'silent-at-release'];

  async function wronglyJudged(
    names: readonly string[],
    timeoutMs: number,
    atOnce: number,
  ): Promise<string[]> {
    const waiting = [...names];
    const wrong: string[] = [];
    const worker = async () => {
      for (let guest = waiting.shift(); guest !== undefined; guest = waiting.shift()) {
        const found = await checked({ flags: judged, more: { timeoutMs }, practice: { guest }, snapshot });
        if (failed(found) !== (guest !== 'honest'))
          wrong.push(`${guest}: ${JSON.stringify(outcomes(found))}`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return wrong;
  }

  test('each of its guests is found, but for the honest one', async () => {
    const names = zoo.map(({ name }) => name);
    expect(names.filter((name) => hanging.includes(name))).toHaveLength(hanging.length);
    const answering = names.filter((name) => !hanging.includes(name));
    expect(await wronglyJudged(answering, 20_000, 4)).toEqual([]);
    expect(await wronglyJudged(hanging, 1_000, 1)).toEqual([]);
  });

  const named: readonly [guest: string, part: string, outcome: string][] = [
    ['silent', 'answer/told', 'hung'],
    ['exits', 'answer/told', 'crashed'],
    ['flood', 'answer/told', 'flood'],
    ['garbage', 'answer/told', 'garbage'],
    ['two-answers', 'answer/told', 'garbage'],
    ['speaks-first', 'answer/told', 'garbage'],
    ['lying-boolean', 'answer/told', 'falsified'],
    ['stale-proof', 'answer/told', 'falsified'],
    ['replayed-answer', 'answer/again', 'falsified'],
    ['same-sample', 'siblings/sample', 'falsified'],
    ['credited-only', 'siblings/exec', 'falsified'],
    ['credited-only-inventing', 'siblings/reported', 'falsified'],
    ['inventing', 'siblings/exec', 'falsified'],
    ['refuses-release', 'release/told', 'falsified'],
  ];
  test.each(named)('%s is found by %s: %s', async (guest, part, outcome) => {
    const found = await checked({
      ...{ flags: judged, snapshot, practice: { guest } },
      more: { timeoutMs: 1_000 },
    });
    expect(outcomes(found)[part]).toBe(outcome);
  });

  test('whose octets are the same is shown with them, in hex', async () => {
    const found = await checked({ flags: judged, snapshot, practice: { guest: 'credited-only' } });
    const part = broken(found).find(({ id }) => id === 'siblings/exec');
    expect(part?.observed).toMatch(/^64 random octets are the same: fork 1, read 1, octet 0; fork 2, read 1/);
    expect(part?.hex).toMatch(/^[0-9a-f]{128}$/);
  });
});

/** The requests of one method get another answer; all else is honest. */
const answers =
  (method: string, to: (request: Record<string, unknown>, honest: object) => object): Tamper =>
  async (line, answer) => {
    let request: Record<string, unknown> = {};
    try {
      request = JSON.parse(line ?? '') as Record<string, unknown>;
    } catch {
      return undefined;
    }
    return request?.method === method ? to(request, await answer()) : undefined;
  };
const ok = () => ({ ok: true, reseeded_rng: true });
const refusedOnly = (honest: object, instead: object) =>
  'ok' in honest && honest.ok === true ? honest : instead;
const closesOn =
  (what: (line: string | null) => boolean): Tamper =>
  (line, _, socket) => {
    if (what(line)) socket.destroy();
    return undefined;
  };

describe('one flaw', () => {
  const release = answers('release', ok);
  const lenient = answers('notify_forked', (_, honest) => refusedOnly(honest, ok()));
  const cases: readonly [part: string, outcome: string, practice: Partial<Practice>][] = [
    ['release/before-told', 'falsified', { control: release }],
    ['release/other-generation', 'falsified', { control: release }],
    ['init/before-told', 'falsified', { control: answers('init', ok) }],
    ['init/before-release', 'falsified', { control: answers('init', ok) }],
    [
      'exec/before-told',
      'falsified',
      { services: answers('exec', ({ id }) => ({ id, ok: true, exit_code: 0 })) },
    ],
    [
      'exec/before-release',
      'falsified',
      { services: answers('exec', ({ id }) => ({ id, ok: true, exit_code: 0 })) },
    ],
    ['request/second', 'falsified', { control: lenient }],
    ['seed/used', 'falsified', { control: lenient }],
    ['seed/short', 'falsified', { control: lenient }],
    ['seed/not-hex', 'falsified', { control: lenient }],
    ['nonce/short', 'falsified', { control: lenient }],
    ['generation/same', 'falsified', { control: lenient }],
    ['generation/lower', 'falsified', { control: lenient }],
    ['generation/zero', 'falsified', { control: lenient }],
    ['generation/fraction', 'falsified', { control: lenient }],
    ['generation/beyond', 'falsified', { control: lenient }],
    [
      'reply/seed',
      'falsified',
      { control: answers('notify_forked', ({ seed }, honest) => ({ ...honest, seed })) },
    ],
    ['line/not-json', 'crashed', { control: closesOn((line) => line === 'no JSON') }],
    ['line/too-long', 'crashed', { control: closesOn((line) => line === null) }],
    ['line/deep', 'falsified', { control: (line) => (line?.startsWith('[[') === true ? ok() : undefined) }],
    [
      'line/version',
      'falsified',
      { control: (line) => (line?.includes('"version":99') === true ? { ok: false } : undefined) },
    ],
    ['line/method-unknown', 'falsified', { control: answers('no-such-method', ok) }],
    ['line/two-at-once', 'falsified', { control: answers('no-such-method', ok) }],
    [
      'line/generated',
      'hung',
      {
        control: (line) =>
          line?.startsWith('{"method":{') === true ? new Promise(() => undefined) : undefined,
      },
    ],
  ];
  test.each(cases)('%s: %s', async (part, outcome, practice) => {
    const claim = ['F6.order', 'F6.single-use', 'F6.fresh', 'F6.witness'];
    const flags = { claim, part: [part] };
    const found = await checked({ flags, practice, more: { timeoutMs: 500 } });
    expect(outcomes(found)).toEqual({ [part]: outcome });
  });
});

describe('other inputs', () => {
  test('a seed in a log is found, whatever it is written as; a log that says nothing shows nothing', async () => {
    for (const encoding of ['hex', 'base64', 'latin1'] as const) {
      const path = join(folder, `seed-${encoding}.log`);
      const control = answers('notify_forked', ({ seed }, honest) => {
        writeFileSync(path, Buffer.from(String(seed), 'hex').toString(encoding), { encoding: 'latin1' });
        return honest;
      });
      const flags = { log: [path], claim: ['F6.fresh'], part: ['log/seed'] };
      const found = await checked({ flags, practice: { control } });
      expect(outcomes(found), encoding).toEqual({ 'log/seed': 'falsified' });
    }
    const empty = join(folder, 'empty.log');
    writeFileSync(empty, '');
    for (const log of [empty, join(folder, 'no-such.log')]) {
      const found = await checked({ flags: { log: [log], claim: ['F6.fresh'], part: ['log/seed'] } });
      expect(outcomes(found)).toEqual({ 'log/seed': 'not-run' });
    }
  });

  test('an agent that cannot credit is found when it says that it did, and held when it says so', async () => {
    for (const [guest, outcome] of [
      ['no-sys-admin', 'holds'],
      ['no-sys-admin-lying', 'falsified'],
    ] as const) {
      last += 1;
      const own = await PracticeGuest.open({ folder, snapshot: snapshotOf(), guest, n: last * 100 });
      try {
        const flags = { agentUnprivileged: own.controlPath, claim: ['F6.credited'] };
        const found = await checked({ flags });
        expect(outcomes(found)).toEqual({ 'unprivileged/told': outcome });
      } finally {
        own.close();
      }
    }
  });
});

describe('a target that nothing can be judged of', () => {
  const claim = ['F6.diverged', 'F6.witness', 'F6.order'];
  const every = ({ claims }: Checked) =>
    new Set(claims.flatMap(({ parts }) => parts.map((part) => part.outcome)));

  test('another version is unsupported, and named', async () => {
    const control = answers('ping', (_, honest) => ({ ...honest, versions: [2, 3] }));
    const found = await checked({ flags: { claim }, practice: { control } });
    expect([...every(found)]).toEqual(['unsupported']);
    expect(found.claims[1]?.parts[0]?.observed).toContain('speaks version 2, 3 of notify_forked');
  });

  test('an agent that answers no ping, or garbage, is not-run', async () => {
    for (const control of [() => new Promise<undefined>(() => undefined), closesOn(() => true)] as Tamper[]) {
      const found = await checked({ flags: { claim }, practice: { control }, more: { timeoutMs: 200 } });
      expect([...every(found)]).toEqual(['not-run']);
      expect(found.claims[0]?.parts[0]?.observed).toContain('does not answer a ping');
    }
  });

  test('a socket that is not there, a file, and one that nobody listens on are told apart', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const guest = await PracticeGuest.open({ folder, snapshot: snapshotOf(), n: 99 });
    guest.close();
    for (const [path, said] of [
      [join(folder, 'none'), 'there is no such socket'],
      [file, 'nobody listens there'],
    ] as const) {
      const found = await checked({ flags: { claim, agent: [`unix:${path}`], services: [] } });
      expect(found.claims.find((one) => one.claim === 'F6.witness')?.parts[0]).toMatchObject({
        outcome: 'not-run',
      });
      expect(found.claims.find((one) => one.claim === 'F6.witness')?.parts[0]?.observed).toContain(said);
    }
  });

  test('the time that is over leaves the rest not-run', async () => {
    const found = await checked({ more: { durationMs: 1 } });
    expect(found.cutOff).toMatch(/--duration/);
    expect(every(found).has('holds')).toBe(false);
  });
});
