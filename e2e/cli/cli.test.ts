/** The command line as a user meets it: help, bad input, a closed pipe, Ctrl-C, a full disk. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { reportSchema } from '#properties/matrix/record.ts';
import { exitCodes } from './exit-codes.ts';
import { cli, runCli } from './run-cli.ts';

const folder = makeLabFolder('cli');
afterAll(() => removeLabFolder(folder));

describe('help', () => {
  test.each([
    [['--help']],
    [['verify', '--help']],
    [['test:properties', '--help']],
    [['test:mutation', '--help']],
    [['test:fuzz', '--help']],
    [['repro', '--help']],
    [['subject', '--help']],
    [['bench', '--help']],
    [['prove', '--help']],
    [['check', '--help']],
    [['check', 'decision', '--help']],
    [['check', 'nft', '--help']],
    [['lab', 'rulesets', '--help']],
    [['lab', '--help']],
    [['lab', 'doctor', '--help']],
    [['lab', 'image', '--help']],
    [['lab', 'artifacts', '--help']],
    [['lab', 'probe', '--help']],
    [['lab', 'up', '--help']],
    [['lab', 'status', '--help']],
    [['lab', 'shell', '--help']],
    [['lab', 'down', '--help']],
    [['lab', 'guests', '--help']],
    [['lab', 'clean', '--help']],
    [['generate', '--help']],
  ])('of %s always shows examples and ends with 0', async (words) => {
    const { code, stdout } = await runCli(words);
    expect(code).toBe(exitCodes.asDeclared);
    expect(stdout).toMatch(/Examples:|Commands:/);
  });
});

describe('bad input', () => {
  test.each([
    [['verify', '--claim', 'F1.embeded'], /F1\.embedded/, 'unknown-claim'],
    [['verify', '--claim', 'F9'], /valid: F1/, 'unknown-claim'],
    [['verify', '--subject', 'publishd'], /did you mean 'published'/, 'unknown-subject'],
    [['verify', '--seed', 'seven'], /integer from/, 'bad-value'],
    [['verify', '--runs', '0'], /integer from 1/, 'bad-value'],
    [['verify', '--shard', '3/2'], /1 ≤ i ≤ n/, 'bad-shard'],
    [['verify', '--tier', 'moon'], /decision, kernel, vm or all/, 'bad-value'],
    [['verify', '--tier', 'decision', '--claim', 'F4.load'], /name a claim/, 'nothing-selected'],
    [['repro', 'F4', '--tier', 'moon'], /decision, kernel or vm/, 'bad-value'],
    [['repro', 'F4', '--tier', 'vm'], /leave --tier out/, 'nothing-selected'],
    [['repro', 'F2', '--tier', 'kernel'], /leave --tier out/, 'nothing-selected'],
    [['repro', 'F4.load', '--tier', 'decision'], /leave --tier out/, 'nothing-selected'],
    [['verify', '--path', '1:2'], /whole replay line/, 'bad-path'],
    [['verify', '--path', '; rm'], /copy it whole/, 'bad-path'],
    [['verify', '--time-limit', '-1'], /integer from 1/, 'bad-value'],
    [['verify', '--json', '/nowhere/at/all.json'], /make the folder/, 'report-not-written'],
    [['verify', '--shard', '999/1000'], /smaller shard/, 'nothing-selected'],
    [['test:mutation', 'pin-adress'], /did you mean 'pin-address'/, 'unknown-part'],
    [['test:mutation', '--changed', 'no-such-name'], /name one/, 'unknown-commit'],
    [['test:mutation', '--time-limit', '0'], /integer from 1/, 'bad-value'],
    [['test:fuzz', 'dsn'], /did you mean 'dns'/, 'unknown-target'],
    [['test:fuzz', 'dns', '--minutes', '0'], /integer from 1/, 'bad-value'],
    [['test:fuzz', 'dns', '--path', '; rm'], /copy it whole/, 'bad-path'],
    [['repro', 'F1.nothing'], /valid: F1/, 'unknown-claim'],
    [['repro', 'F1.embedded', '--seed', '1e9'], /integer from/, 'bad-value'],
    [['subject', 'reference', 'pin-adress'], /did you mean 'pin-address'/, 'unknown-decision'],
    [['subject', 'refrence', 'pin-address'], /did you mean 'reference'/, 'unknown-subject'],
    [['subject', 'reference', 'pin-address'], /begin with \{"v":1/, 'bad-header'],
    [['check', 'decision', 'nothing', '--', 'true'], /valid: pin-address/, 'unknown-decision'],
    [['check', 'decision', 'claim-step', '--', 'true'], /words of the program’s own/, 'unknown-decision'],
    [['check', 'decision', 'pin-address', './it', 'x'], /put -- before it: .* -- \.\/it x/, 'no-separator'],
    [['check', 'decision', 'pin-address', '--runs', 'many', '--', 'true'], /integer from 0/, 'bad-value'],
    [['lab', 'up', '--guest', 'nobody'], /pnpm lab guests/, 'unknown-guest'],
    [['lab', 'artifacts', '--kernel', '2.6'], /choose one of 6\.1-cloud/, 'unknown-kernel'],
    [['bench', 'nothing'], /valid:/, 'unknown-benchmark'],
    [['bench', 'dns', '--memory-minutes', '0'], /integer from 1/, 'bad-value'],
    [['prove', 'pin-adress'], /did you mean 'pin-address'/, 'unknown-proof'],
  ])('%s is refused with what is valid, and no stack trace', async (words, hint, errorCode) => {
    const { code, stderr } = await runCli(words);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toMatch(hint);
    expect(stderr).toContain(`[${errorCode}]`);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test.each([
    [['nonsense']],
    [['verify', '--nonsense']],
    [['repro']],
    [['check', 'decision', 'pin-address', './it', '--flag']],
    [['check', 'decision', 'pin-address', '--']],
  ])('%s is refused by the command line', async (words) => {
    const { code, stderr } = await runCli(words);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toMatch(/^error: /m);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

const small = ['verify', '--claim', 'F1.embedded', '--runs', '200', '--seed', '7'];

describe('verify', () => {
  test('always writes a report that its published schema accepts, and ends with 0 when all is as declared', async () => {
    const file = join(folder, 'report.json');
    const { code, stdout } = await runCli([...small, '--json', file]);
    expect(stdout).toContain('As declared');
    const report = JSON.parse(readFileSync(file, 'utf8')) as { summary: { judgedCases: number } };
    const accepts = new Ajv2020({ strict: false }).compile(reportSchema);
    expect(accepts(report), JSON.stringify(accepts.errors)).toBe(true);
    expect(report.summary.judgedCases).toBeGreaterThanOrEqual(200);
    expect(code).toBe(exitCodes.asDeclared);
  });

  test('always prints nothing but JSON on stdout with --json', async () => {
    const { stdout, stderr } = await runCli([...small, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ v: 1, seed: 7 });
    expect(stderr).toContain('As declared');
  });

  test('always finds a counterexample again with the command that it printed', async () => {
    const { stdout } = await runCli([...small, '--subject', 'vulnerable']);
    const replay = /replay\s+pnpm (verify .*)/.exec(stdout)?.[1] ?? '';
    const shrunk = /case\s+(.*)/.exec(stdout)?.[1];
    const again = await runCli(replay.split(' '));
    expect(again.stdout).toContain(`case      ${shrunk}`);
    expect(again.code).toBe(exitCodes.asDeclared);
  });

  test('never leaves half a report on a full disk', async () => {
    const target = join(folder, 'full');
    mkdirSync(target);
    // RLIMIT_FSIZE stands for the full disk: a write beyond it fails with EFBIG.
    const limits = { shellPrefix: "trap '' XFSZ; ulimit -f 0;" };
    const { code, stderr } = await runCli([...small, '--json', join(target, 'report.json')], limits);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toContain('[report-not-written]');
    expect(readdirSync(target)).toEqual([]);
  });

  test('always reports what ran so far on Ctrl-C, with an exit code of its own', async () => {
    let interrupted = false;
    const { code, stdout } = await runCli(['verify', '--claim', 'F1.embedded', '--runs', '50000000'], {
      onOutput: (soFar, kill) => {
        // Once: a second Ctrl-C ends the process on the spot.
        if (soFar.includes('replay') && !interrupted) kill('SIGINT');
        interrupted = soFar.includes('replay');
      },
    });
    expect(code).toBe(exitCodes.interrupted);
    expect(stdout).toMatch(/Not complete: \d+ cells/);
  });

  test('always counts what the time limit cut off as skipped', async () => {
    const { code, stdout } = await runCli([
      'verify',
      '--claim',
      'F1.embedded',
      '--runs',
      '50000000',
      '--time-limit',
      '3',
    ]);
    expect(stdout).toMatch(/Not complete: \d+ cells/);
    expect(code).toBe(exitCodes.incomplete);
  });

  test('of the kernel never passes an attack that the time limit cut off', async () => {
    const { code, stdout } = await runCli([
      'verify',
      '--tier',
      'kernel',
      '--claim',
      'F4',
      '--time-limit',
      '1',
    ]);
    expect(stdout).toMatch(/Not complete: \d+ cells|Did not run: kernel/);
    expect(code).toBe(exitCodes.incomplete);
  });

  test('ends quietly when its reader goes away', async () => {
    const { code, stderr } = await runCli(small, { closeStdoutAfter: 10 });
    expect(code).toBe(exitCodes.closedPipe);
    expect(stderr).toBe('');
  });
});

describe('repro', () => {
  test('always shows the same input on the three subjects, and ends with 0', async () => {
    const { code, stdout } = await runCli(['repro', 'F1.embedded', '--seed', '7']);
    expect(stdout).toMatch(/vulnerable\s+falsified/);
    expect(stdout).toMatch(/published\s+holds/);
    expect(stdout).toMatch(/reference\s+holds/);
    expect(code).toBe(exitCodes.asDeclared);
  });

  test('of the decision tier never needs a kernel, and always says at which tier it was', async () => {
    const { code, stdout } = await runCli(['repro', 'F4.input', '--tier', 'decision', '--seed', '7']);
    expect(stdout).toMatch(/published\s+holds/);
    expect(stdout).toContain('1 claim at tier decision');
    expect(code).toBe(exitCodes.asDeclared);
  });
});

describe('subject', () => {
  const config = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };
  const header = JSON.stringify({ v: 1, decision: 'pin-address', config });

  test.each([
    ['vulnerable', 'pin'],
    ['published', 'refuse'],
    ['reference', 'refuse'],
  ])('%s always answers its own verdict on a wrapped metadata address', async (name, verdict) => {
    const input = `${header}\n${JSON.stringify({ id: 'x', input: { address: '64:ff9b::a9fe:a9fe' } })}\n`;
    const { code, stdout } = await runCli(['subject', name, 'pin-address'], { input });
    expect(code).toBe(exitCodes.asDeclared);
    expect(JSON.parse(stdout)).toMatchObject({ id: 'x', output: { verdict } });
  });

  test('ends with 2 when a line was refused', async () => {
    const { code, stderr } = await runCli(['subject', 'reference', 'pin-address'], {
      input: `${header}\nnonsense\n`,
    });
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toContain('line 2: not a JSON object');
  });
});

describe('check decision', () => {
  test('always finds what a naive filter lets through, and ends with 1', async () => {
    const naive = join(folder, 'naive.cjs');
    writeFileSync(
      naive,
      `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
         const { id, input } = JSON.parse(line);
         if (input === undefined) return;
         const output = { verdict: 'pin', pinnedAs: input.address, rule: 'naive' };
         process.stdout.write(JSON.stringify({ id, output }) + '\\n');
       });`,
    );
    const words = ['check', 'decision', 'pin-address', '--runs', '500', '--seed', '7', '--json'];
    const { code, stdout } = await runCli([...words, '--', process.execPath, naive]);
    const { passed, differences, conversation } = JSON.parse(stdout) as {
      passed: boolean;
      differences: { source: string }[];
      conversation: { outcome: string };
    };
    expect(conversation.outcome).toBe('answered');
    expect(passed).toBe(false);
    expect(differences.filter(({ source }) => source.startsWith('cloud/')).length).toBeGreaterThan(0);
    expect(code).toBe(exitCodes.differs);
  });

  test.each(['select-husk', 'agent-step'])(
    '%s always agrees with our own reference over the same protocol, and ends with 0',
    async (decision) => {
      const words = ['check', 'decision', decision, '--runs', '500', '--seed', '7', '--'];
      const ours = [process.execPath, cli, 'subject', 'reference', decision];
      const { code, stdout } = await runCli([...words, ...ours]);
      expect(stdout).toContain('As it must');
      expect(code).toBe(exitCodes.asDeclared);
    },
  );

  test('always finds out the published fix in a state machine, event by event', async () => {
    const words = ['check', 'decision', 'activation-step', '--runs', '500', '--seed', '7', '--'];
    const ours = [process.execPath, cli, 'subject', 'published', 'activation-step'];
    const { code, stdout } = await runCli([...words, ...ours]);
    expect(stdout).toMatch(/NOT as it must: activation-step, no vectors of its shape, \d+ generated inputs/);
    expect(code).toBe(exitCodes.differs);
  });

  const few = ['check', 'decision', 'pin-address', '--runs', '10'];

  test.each([
    [['false'], /crashed: ended with code 1 before its first answer, \d+ of \d+ cases unanswered/],
    [['true'], /short: \d+ of \d+ cases unanswered, the first has id 0/],
    [['/nowhere/at/all'], /not-executable: ENOENT: there is no such program/],
    [['cat'], /garbage: no id that was asked: \{"v":1/],
    [['sh', '-c', 'while :; do :; done'], /hung: no answer for 1000 ms, the next one owed has id 0/],
  ])('always says how %j failed, and ends with 1', async (program, reason) => {
    const { code, stdout } = await runCli([...few, '--answer-timeout', '1000', '--', ...program]);
    expect(stdout).toMatch(reason);
    expect(code).toBe(exitCodes.differs);
  });

  test('always prints the command that runs it again, each word as the shell needs it', async () => {
    const words = [...few, '--seed', '7', '--answer-timeout', '5000'];
    const program = ['sh', '-c', "exit 3 # it's", 'two words', '--seed'];
    const wanted = `--seed 7 --answer-timeout 5000 -- sh -c 'exit 3 # it'\\''s' 'two words' --seed`;
    const asText = await runCli([...words, '--', ...program]);
    expect(asText.stdout).toContain(`Again: pnpm check decision pin-address --runs 10 ${wanted}\n`);
    const { stdout } = await runCli([...words, '--json', '--', ...program]);
    const { replay, conversation } = JSON.parse(stdout) as { replay: string; conversation: object };
    expect(replay).toBe(`pnpm check decision pin-address --runs 10 ${wanted}`);
    expect(conversation).toMatchObject({ outcome: 'crashed', answered: 0, refused: 0 });
  });

  test('always says in its help what cannot be checked, and why', async () => {
    const { stdout } = await runCli(['check', 'decision', '--help']);
    expect(stdout).toContain('claim-step: its purposes');
    expect(stdout).toContain('select-husk');
  });
});

describe('lab doctor', () => {
  test('always says something about every tier', async () => {
    const { code, stdout } = await runCli(['lab', 'doctor', '--json']);
    const { tiers } = JSON.parse(stdout) as { tiers: { tier: string; ready: boolean }[] };
    expect(tiers.map(({ tier }) => tier)).toEqual(['decision', 'kernel', 'vm', 'apiserver', 'cluster']);
    expect(tiers[0]?.ready).toBe(true);
    expect(code).toBe(exitCodes.asDeclared);
  });

  test('names each provider of the lab; one that is missing always has a reason and a remedy', async () => {
    const { stdout } = await runCli(['lab', 'doctor', '--json']);
    const { tiers } = JSON.parse(stdout) as { tiers: { findings: Record<string, unknown>[] }[] };
    const labs = tiers.flatMap(({ findings }) => findings).filter(({ what }) => `${what}`.startsWith('lab '));
    expect(labs.map(({ what }) => what)).toEqual([
      'lab netns',
      'lab netns, rootless',
      'lab container',
      'lab microvm',
    ]);
    for (const { there, detail, remedy } of labs) {
      expect(detail).not.toBe('');
      expect(remedy === '').toBe(there);
    }
  });
});
