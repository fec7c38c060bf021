/** `pnpm check guest` as a user meets it: what it prints and writes, how it ends, what it refuses, runs and leaves. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import type { CodedError } from '#reference/base/coded-error.ts';
import { checkGuest } from '../blackbox/guest/claims-of-guest.ts';
import { checkOwner, settingsOf } from '../blackbox/guest/flags.ts';
import { PracticeGuest, snapshotOf } from '../blackbox/guest/practice-guest.ts';
import { type CheckGuestFlags, checkGuestCommand } from './check-guest-command.ts';
import { exitCodeOf } from './check-report.ts';
import { exitCodes } from './exit-codes.ts';
import { runCli } from './run-cli.ts';

const folder = makeLabFolder('guest');
afterAll(() => removeLabFolder(folder));
const place = (name: string) => join(folder, name);

const check = (...words: readonly string[]) => runCli(['check', 'guest', ...words]);

/** Two siblings. */
async function withGuests<Result>(
  guest: string,
  work: (words: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const snapshot = snapshotOf({ clock: 'deterministic' });
  const open = (n: number) => PracticeGuest.open({ folder, n, snapshot, guest });
  const guests = [await open(1), await open(2)];
  try {
    const words = ['--agent', `unix:${folder}/{n}.control`, '--services', `unix:${folder}/{n}.services`];
    return await work([...words, '--forks', '2', '--rate', '1000', '--timeout', '20000']);
  } finally {
    for (const one of guests) one.close();
  }
}

describe('pnpm check guest', () => {
  const claims = ['--claim', 'F6.diverged', 'F6.reported', 'F6.witness', 'F6.order', '--seed', '7'];

  test('ends with 0 where every claim that was asked holds', async () => {
    const { code, stdout } = await withGuests('honest', (words) => check(...words, ...claims));
    expect(stdout).toContain('4 claims: 4 holds. 2 forks');
    expect(stdout).toMatch(/^F6\.diverged siblings\/exec: nothing is in two of 2 forks, 64 octets/m);
    expect(stdout).not.toContain('\u001b[');
    expect(code).toBe(exitCodes.asDeclared);
  });

  test('ends with 1 where one is falsified, shows the octets, and its replay line finds the same part again', async () => {
    const first = await withGuests('credited-only-inventing', (words) => check(...words, ...claims));
    expect(first.code).toBe(exitCodes.differs);
    expect(first.stdout).toMatch(/^F6\.diverged siblings\/exec: falsified$/m);
    expect(first.stdout).toMatch(/observed {2}64 random octets are the same: fork 1, read 1, octet 0/);
    expect(first.stdout).toMatch(/^ {2}hex {7}[0-9a-f]{128}$/m);
    expect(first.stdout).toContain('they are evidence, and nobody’s secret');
    const replay = /^ {2}replay {4}pnpm (.*)$/m.exec(first.stdout)?.[1] ?? '';
    const words = replay.split(' ').map((word) => word.replaceAll("'", ''));
    const again = await withGuests('credited-only-inventing', () => runCli(words));
    expect(again.code).toBe(exitCodes.differs);
    expect(again.stdout).toContain('1 claim: 1 falsified.');
  });

  test('ends with 3 where nothing is broken and something is unsupported, and says what to give', async () => {
    const { code, stdout } = await withGuests('honest', (words) =>
      check(...words.slice(0, 2), '--forks', '2', '--runs', '0'),
    );
    expect(code).toBe(exitCodes.incomplete);
    expect(stdout).toContain('give --read COMMAND that prints random octets of fork {n}');
    expect(stdout).toContain('give --agent-unprivileged ENDPOINT');
  });

  test('as JSON in a file and as JUnit says the same as the table', async () => {
    const [json, junit] = [place('found.json'), place('found.xml')];
    const { stdout } = await withGuests('lying-boolean', (words) =>
      check(...words, ...claims, '--runs', '0', '--json', json, '--junit', junit),
    );
    const report = JSON.parse(readFileSync(json, 'utf8')) as {
      v: number;
      seed: number;
      claims: { claim: string; outcome: string; parts: { outcome: string; replay: string }[] }[];
    };
    expect(report).toMatchObject({ v: 1, seed: 7 });
    expect(stdout).toContain('falsified');
    const parts = report.claims.flatMap((claim) => claim.parts);
    const count = (...outcomes: string[]) => parts.filter((part) => outcomes.includes(part.outcome)).length;
    expect(count('falsified')).toBeGreaterThan(0);
    expect(parts.every(({ replay }) => replay.includes('--part'))).toBe(true);
    expect(readFileSync(junit, 'utf8')).toContain(
      `tests="${parts.length}" failures="${count('falsified', 'hung', 'crashed', 'garbage', 'flood')}" skipped="${count('unsupported', 'not-run')}"`,
    );
  });
});

/** A "fork" is a file of octets that reads begin at; a read takes the next ones, unless it is told to begin anew. */
const drawn = (from: string, upTo: string) =>
  `exec 9>>"${folder}/lock"; flock 9; at=$(cat "${folder}/at-${upTo}" 2>/dev/null || echo 0); echo $((at + 48)) > "${folder}/at-${upTo}"; tail -c +$((at + 1)) "${folder}/${from}" | head -c 48`;

describe('commands', () => {
  const diverged = ['--claim', 'F6.diverged'];

  test('of forks that draw apart hold, and leave no process', async () => {
    const pids = place('pids');
    const { code, stdout } = await check(
      ...['--fork', `echo $$ >> ${pids}; exec sleep 600`],
      ...['--read', `test $FORK -gt 0 && head -c 48 /dev/urandom`, ...diverged],
    );
    expect(stdout).toContain('1 claim: 1 holds. 2 forks');
    expect(code).toBe(exitCodes.asDeclared);
    const started = readFileSync(pids, 'utf8').trim().split('\n');
    expect(started).toHaveLength(2);
    expect(started.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });

  test('of forks that draw the same are falsified, with the octets', async () => {
    writeFileSync(place('stream'), randomBytes(192));

    const { code, stdout } = await check(
      ...['--fork', 'sleep 600', '--read', `: {n}; ${drawn('stream', '{n}')}`, ...diverged],
    );
    expect(stdout).toMatch(
      /\d+ random octets are the same: fork 1, read 1, octet 0; fork 2, read 1, octet 0/,
    );
    expect(code).toBe(exitCodes.differs);
  });

  test('that end at once are taken away by --end, each by its number; without it they are told', async () => {
    const { code } = await check(
      ...['--fork', `touch ${place('fork-{n}')}`, '--end', `rm ${place('fork-{n}')}`],
      ...['--read', `: {n}; head -c 48 /dev/urandom`, ...diverged],
    );
    expect(code).toBe(exitCodes.asDeclared);
    expect(readdirSync(folder).filter((name) => name.startsWith('fork-'))).toEqual([]);
    const left = await check(...['--fork', 'true', '--read', `: {n}; head -c 48 /dev/urandom`, ...diverged]);
    expect(left.stdout).toMatch(/^Left behind: fork 1: its command has ended and left it; --end says how/m);
    expect(left.code).toBe(exitCodes.incomplete);
  });
});

describe('a reading that is none', () => {
  const unread: readonly [name: string, flags: CheckGuestFlags, said: RegExp][] = [
    ['no program', { read: ['./no-such-program'] }, /fork 1 was not read: it ended with 127.*not found/],
    ['not executable', { read: ['/etc/passwd'] }, /it ended with 126/],
    ['too few octets', { read: ['head -c 40 /dev/urandom'] }, /gave 20 random octets, and 32 are asked for/],
    ['the same twice', { read: ['head -c 200 /dev/zero'] }, /gave the same octets twice/],
    ['a hang', { read: ['sleep 600'] }, /it did not end within 1500 ms/],
    ['no end of output', { read: ['yes'] }, /printed more than/],
    [
      'a fork that fails',
      { fork: 'echo no room >&2; exit 7', read: [': {n}; sleep 0.2; false'] },
      /fork 1: its command ended with 7: no room/,
    ],
  ];
  test.each(unread)('%s is not-run, and told as that', async (name, flags, said) => {
    const numbers = {
      siblings: 2,
      forks: 2,
      octets: 32,
      perSecond: 1_000,
      durationMs: 60_000,
      timeoutMs: 1_000,
    };
    // A hang has to be waited for; all else has the time that a busy machine takes.
    const waitMs = name === 'a hang' ? 1_500 : 30_000;
    const settings = settingsOf(
      { ...flags, claim: ['F6.diverged'] },
      { ...numbers, waitMs, seed: 1, runs: 0 },
    );
    const checked = await checkGuest(settings, new AbortController().signal);
    expect(checked.claims[0]?.parts[0]).toMatchObject({
      outcome: 'not-run',
      observed: expect.stringMatching(said),
    });
    expect(exitCodeOf(checked)).toBe(exitCodes.incomplete);
  });
});

describe('an interrupt', () => {
  test('ends what was started, and what ran is reported', async () => {
    const pids = place('interrupted');
    let isKilled = false;
    const words = [
      '--fork',
      `echo $$ >> ${pids}; exec sleep 600`,
      '--read',
      ': {n}; false',
      '--claim',
      'F6.diverged',
    ];
    const { code, stdout } = await runCli(['check', 'guest', ...words, '--read-process', ': {n}; false'], {
      onOutput: (_, kill) => {
        if (isKilled) return;
        isKilled = true;
        // When the first fork runs.
        const timer = setInterval(() => {
          if (!existsSync(pids)) return;
          clearInterval(timer);
          kill('SIGINT');
        }, 50);
      },
    });
    expect(code).toBe(exitCodes.interrupted);
    expect(stdout).toContain('Cut off: interrupted');
    const started = readFileSync(pids, 'utf8').trim().split('\n');
    expect(started.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });
});

describe('consent and bounds', () => {
  test('a vsock address, or another user’s socket, is sent nothing without --i-own-this-target', async () => {
    const refused = await check('--agent', 'vsock:3:1024');
    expect(refused.code).toBe(exitCodes.usage);
    expect(refused.stderr).toContain('vsock:3:1024 is a guest that may be anybody’s');
    expect(refused.stderr).toContain('[not-your-target]');
    expect(refused.stdout).toBe('');
    const mine = await check(
      '--agent',
      'vsock:4000000000:1024',
      '--i-own-this-target',
      '--claim',
      'F6.order',
    );
    expect(mine.stdout).toContain('1 claim: 1 not-run.');
    expect(mine.code).toBe(exitCodes.incomplete);
  });

  test('a socket of another user is refused, and nobody connects to it', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(place('other'), resolve));
    const numbers = { siblings: 2, forks: 2, octets: 32, perSecond: 1, durationMs: 1, timeoutMs: 1 };
    const settings = settingsOf(
      { agent: [`unix:${place('other')}`] },
      { ...numbers, waitMs: 1, seed: 1, runs: 0 },
    );
    const somebodyElse = (process.geteuid?.() ?? 0) + 1;
    expect(() => checkOwner(settings, false, somebodyElse)).toThrow(
      expect.objectContaining({ code: 'not-your-target', remediation: expect.stringContaining('--dry-run') }),
    );
    expect(() => checkOwner(settings, true, somebodyElse)).not.toThrow();
    expect(() => checkOwner(settings, false)).not.toThrow();
    server.close();
    expect(connections).toBe(0);
  });

  test('a dry run shows what would be asked, connects to nobody and runs nothing', async () => {
    const touched = place('dry');
    const { code, stdout } = await check(
      ...['--agent', 'vsock:3:1024', '--services', 'vsock:3:1025'],
      ...['--read', `touch ${touched}; : {n}`, '--dry-run'],
    );
    expect(code).toBe(exitCodes.asDeclared);
    expect(stdout).toContain('Nothing was sent, and no command was run.');
    expect(stdout).toContain('"method":"notify_forked","version":1');
    expect(stdout).toContain(`$ touch ${touched}`);
    expect(stdout).toContain('F6.credited unprivileged/told: would not be asked');
    expect(existsSync(touched)).toBe(false);
  });
});

describe('bad input', () => {
  const agent = ['unix:/run/a'];
  const cases: readonly [CheckGuestFlags, RegExp, string][] = [
    [{}, /--agent unix:\/path\/socket for each of two forks/, 'bad-guest-flag'],
    [{ agent: ['a.sock'] }, /write unix:\/path\/socket/, 'bad-guest-flag'],
    [{ agent, services: ['tcp:1'] }, /--services tcp:1 is no place/, 'bad-guest-flag'],
    [{ agent: ['/a', '/a'] }, /named twice/, 'bad-guest-flag'],
    [{ agent: ['/a', '/b'], services: ['/c'] }, /in pairs/, 'bad-guest-flag'],
    [{ agent: ['/a{n}', '/b'] }, /each fork’s own/, 'bad-guest-flag'],
    [{ agent, fork: './fork {n}' }, /unix:\/run\/fork-\{n\}\.sock/, 'bad-guest-flag'],
    [{ agent, read: ['head -c 64 /dev/urandom'] }, /write \{n\} \(or \$FORK\)/, 'bad-guest-flag'],
    [{ read: [' '] }, /is empty/, 'bad-guest-flag'],
    [{ read: ['x'], end: 'x' }, /--end without --fork/, 'bad-guest-flag'],
    [{ agent, agentUnprivileged: 'x' }, /--agent-unprivileged x is no place/, 'bad-guest-flag'],
    [{ agent, siblings: '8', forks: '4' }, /raise --forks/, 'bad-guest-flag'],
    [{ agent, claim: ['F6.order'], part: ['x'] }, /--dry-run lists them/, 'bad-guest-flag'],
    [{ agent, claim: ['F6.live'] }, /choose of F6\.diverged/, 'unknown-claim'],
    [{ agent, octets: '15' }, /from 16 to/, 'bad-value'],
    [{ agent, rate: '0' }, /from 1 to/, 'bad-value'],
    [{ agent, duration: '0' }, /from 1 to/, 'bad-value'],
    [{ agent, timeout: 'soon' }, /from 50 to/, 'bad-value'],
    [{ agent, siblings: '1' }, /from 2 to/, 'bad-value'],
  ];
  test.each(cases)('%j is refused with what is valid', async (flags, said, code) => {
    const error = await checkGuestCommand(flags).then(
      () => null,
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ code });
    const { message, remediation } = error as CodedError;
    expect(`${message}\n${remediation}`).toMatch(said);
  });
});
