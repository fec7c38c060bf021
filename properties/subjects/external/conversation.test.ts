/**
 * Somebody's program over the subject protocol: each way to fail is told from the others, and no process is
 * left.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { maxLineBytes } from '../../protocol/case-lines.ts';
import { type Answer, type Conversation, converse, type Script } from './conversation.ts';

const folder = mkdtempSync(join(tmpdir(), 'huskproof-external-'));
afterAll(() => rmSync(folder, { recursive: true }));

let programs = 0;
function scriptFile(text: string): string {
  const file = join(folder, `program-${programs++}.cjs`);
  writeFileSync(file, text);
  return file;
}

const answer =
  "process.stdout.write(JSON.stringify({ id, output: { verdict: 'refuse', rule: 'x' } }) + '\\n');";

/** A program whose body runs for each case, with `id` and the number of the case. */
function program(body: string, before = ''): string[] {
  const text = `${before}
     const lines = require('node:readline').createInterface({ input: process.stdin });
     let count = -1;
     lines.on('line', (line) => {
       count += 1;
       if (count === 0) return;
       const { id, input } = JSON.parse(line);
       ${body}
     });`;
  return [process.execPath, scriptFile(text)];
}

/** A program that reads nothing. */
const deaf = (body: string) => [process.execPath, scriptFile(body)];

interface Talked extends Conversation {
  readonly answers: ReadonlyMap<number, Answer>;
}

/** Ample, so that a busy machine fails nobody. */
const ampleMs = 30_000;
/** For programs that hang: soon. */
const soonMs = 1_000;
/** … and starts somebody else before. */
const spawnMs = 3_000;

async function talk(
  command: readonly string[],
  change: Partial<Script> = {},
  answerTimeoutMs = ampleMs,
): Promise<Talked> {
  const answers = new Map<number, Answer>();
  const script: Script = {
    inputs: Array.from({ length: 50 }, () => ({ address: '::1' })),
    count: 50,
    continues: false,
    hear: (id, given) => {
      answers.set(id, given);
    },
    ...change,
  };
  const conversation = await converse(command, script, {
    decision: 'pin-address',
    config: {},
    answerTimeoutMs,
    signal: new AbortController().signal,
  });
  return { ...conversation, answers };
}

/** More than any pipe holds. */
const large = { inputs: Array.from({ length: 2_000 }, () => ({ address: 'x'.repeat(1_000) })), count: 2_000 };

describe('a program that answers everything', () => {
  test('always ends as answered', async () => {
    const { outcome, answered, refused, answers } = await talk(program(answer));
    expect({ outcome, answered, refused }).toEqual({ outcome: 'answered', answered: 50, refused: 0 });
    expect(answers.get(49)).toEqual({ output: { verdict: 'refuse', rule: 'x' } });
  });

  test('may answer in any order, and refuse a case', async () => {
    const refusing =
      "process.stdout.write(JSON.stringify({ id, error: { code: 'x', message: 'never heard of it' } }) + '\\n');";
    const backwards = program(
      `(globalThis.ids ??= []).push(id); if (globalThis.ids.length === 50) for (const id of globalThis.ids.reverse()) { if (id === 7) { ${refusing} } else { ${answer} } }`,
    );
    const { outcome, refused, answers } = await talk(backwards);
    expect(outcome).toBe('answered');
    expect(refused).toBe(1);
    expect(answers.get(7)).toEqual({ refusal: 'never heard of it' });
  });

  test('may keep its answers until its stdin is closed, and leave out the last newline', async () => {
    const atEnd = program(
      "(globalThis.all ??= []).push(JSON.stringify({ id, output: {} })); lines.once('close', () => { if (globalThis.all.length > 0) process.stdout.write(globalThis.all.splice(0).join('\\n')); });",
    );
    expect(await talk(atEnd)).toMatchObject({ outcome: 'answered', answered: 50 });
  });

  test('may write what it likes to stderr, and end with any code', async () => {
    const noisy = program(
      answer,
      "process.stderr.write('one\\ntwo\\nand no newline'); process.on('exit', () => { process.exitCode = 3; });",
    );
    const { outcome, stderr } = await talk(noisy);
    expect(outcome).toBe('answered');
    expect(stderr).toEqual(['one', 'two', 'and no newline']);
  });

  test('is never held up by a flood on stderr, of which little is kept', async () => {
    const flood = program(answer, "process.stderr.write('noise\\n'.repeat(2_000_000));");
    const one = program(answer, "process.stderr.write('n'.repeat(8_000_000));");
    for (const command of [flood, one]) {
      const { outcome, stderr } = await talk(command);
      expect(outcome).toBe('answered');
      expect(stderr.length).toBeLessThanOrEqual(20);
      expect(stderr.join('').length).toBeLessThanOrEqual(20 * 500);
    }
  });

  test('and stays when all is said is sent away, which is no fault', async () => {
    expect(await talk(program(answer, 'setInterval(() => {}, 1000);'))).toMatchObject({
      outcome: 'answered',
    });
  });
});

const failures: readonly [string, string, string[], RegExp][] = [
  ['at its start', 'crashed', deaf('process.exit(4);'), /code 4 before its first answer, 50 of 50 cases/],
  [
    'half-way',
    'crashed',
    program(`if (count > 10) process.exit(3); ${answer}`),
    /code 3, 40 of 50 .* id 10$/,
  ],
  [
    'by a signal',
    'crashed',
    program(`if (count > 10) process.kill(process.pid, 'SIGKILL'); ${answer}`),
    /SIGKILL/,
  ],
  ['with too few answers', 'short', program(`if (count < 10) { ${answer} }`), /41 of 50 .* id 9$/],
  ['and answers nothing', 'short', program(''), /50 of 50 cases unanswered, the first has id 0$/],
  [
    'in an endless loop',
    'hung',
    program('for (;;) {}'),
    /no answer for 1000 ms, the next one owed has id 0$/,
  ],
  ['half-way in an endless loop', 'hung', program(`if (count > 9) for (;;) {} ${answer}`), /id \d+$/],
  ['and dribbles blank lines', 'hung', deaf("setInterval(() => console.log(''), 50);"), /1000 ms/],
  [
    'and closes its stdout early',
    'closed-stdout',
    program(
      `if (count === 10) { require('node:fs').closeSync(1); setInterval(() => {}, 1000); } if (count < 10) { ${answer.replace('process.stdout.write(', "require('node:fs').writeSync(1, ")} }`,
    ),
    /lives on with its stdout closed, 41 of 50/,
  ],
  ['with a line that is not JSON', 'garbage', program("console.log('hello');"), /not JSON: hello/],
  ['with a line that is no object', 'garbage', program('console.log(7);'), /not an object: 7/],
  [
    'with half an answer',
    'garbage',
    program('console.log(JSON.stringify({ id }));'),
    /neither output nor error/,
  ],
  [
    'with an id of its own kind',
    'garbage',
    program("console.log(JSON.stringify({ id: 'x' + id, output: {} }));"),
    /no id that was asked/,
  ],
  [
    'with an endless line',
    'garbage',
    deaf(`const more = () => process.stdout.write('x'.repeat(65536), more); more();`),
    new RegExp(`a line beyond ${maxLineBytes} octets: x+$`),
  ],
  [
    'with a line that is too long',
    'garbage',
    program(`console.log(JSON.stringify({ id, output: 'x'.repeat(${maxLineBytes}) }));`),
    new RegExp(`a line beyond ${maxLineBytes} octets: .{120}$`),
  ],
  ['and answers twice', 'duplicate-id', program(`${answer} ${answer}`), /^id 0 is answered twice$/],
  [
    'and answers again after the last answer',
    'duplicate-id',
    program(`${answer} if (count === 50) setTimeout(() => { ${answer} }, 200);`),
    /^id 49 is answered twice$/,
  ],
  [
    'and answers what was never asked',
    'unknown-id',
    program('console.log(JSON.stringify({ id: 99, output: {} }));'),
    /^id 99 was never asked$/,
  ],
  [
    'and answers a fraction',
    'unknown-id',
    program('console.log(JSON.stringify({ id: 0.5, output: {} }));'),
    /^id 0.5 was never asked$/,
  ],
  ['for it is not there', 'not-executable', ['/nowhere/at/all'], /^ENOENT: there is no such program$/],
  ['for it has no name', 'not-executable', [''], /./],
  ['for it is a folder', 'not-executable', [folder], /^EACCES: it may not be executed$/],
  ['for its path goes through a file', 'not-executable', [`${process.execPath}/x`], /^ENOTDIR/],
];

describe('a program that fails', () => {
  test.each(failures)('%s always ends as %s', async (_, outcome, command, reason) => {
    const conversation = await talk(command, {}, outcome === 'hung' ? soonMs : ampleMs);
    expect(conversation).toMatchObject({ outcome });
    expect(conversation.reason).toMatch(reason);
  });

  test('for it may not be executed always ends as not-executable', async () => {
    const file = scriptFile('#!/bin/sh\n');
    chmodSync(file, 0o644);
    expect(await talk([file])).toMatchObject({
      outcome: 'not-executable',
      reason: expect.stringMatching(/^EACCES/),
    });
  });

  test('to read always ends as hung, and is told from one that reads', async () => {
    const { outcome, reason } = await talk(deaf('setInterval(() => {}, 1000);'), large, soonMs);
    expect(outcome).toBe('hung');
    expect(reason).toMatch(/does not read its stdin/);
  });

  test('at its start, before it reads, always ends as crashed though much was on its way', async () => {
    expect(await talk(deaf('process.exit(4);'), large)).toMatchObject({
      outcome: 'crashed',
      reason: expect.stringMatching(/code 4 before its first answer, 2000 of 2000/),
    });
  });

  test('and answers before it is asked always ends as unknown-id', async () => {
    const eager = deaf('console.log(JSON.stringify({ id: 1999, output: {} })); setInterval(() => {}, 1000);');
    expect(await talk(eager, large)).toMatchObject({ outcome: 'unknown-id' });
  });

  test('never leaves a child behind when it is cut off, nor when it ends', async () => {
    for (const [body, outcome] of [
      ['for (;;) {}', 'hung'],
      [`${answer} if (count === 50) process.exit(0);`, 'answered'],
    ] as const) {
      const file = join(folder, `child-of-${outcome}.pid`);
      const spawning = program(
        body,
        `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
         require('node:fs').writeFileSync(${JSON.stringify(file)}, String(child.pid));`,
      );
      expect(await talk(spawning, {}, outcome === 'hung' ? spawnMs : ampleMs)).toMatchObject({ outcome });
      const pid = Number(readFileSync(file, 'utf8'));
      await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
    }
  });

  test('never holds up the end by somebody who left its group with its stdout', async () => {
    const file = join(folder, 'daemon.pid');
    const spawning = program(
      `${answer} if (count === 50) process.exit(0);`,
      `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)'], { stdio: 'inherit', detached: true });
       require('node:fs').writeFileSync(${JSON.stringify(file)}, String(child.pid));`,
    );
    const { outcome, seconds } = await talk(spawning);
    process.kill(Number(readFileSync(file, 'utf8')));
    expect(outcome).toBe('answered');
    expect(seconds).toBeLessThan(15);
  });
});

describe('a conversation that goes on', () => {
  /** Ten talks of twenty turns: each answer's state goes into the next case. */
  const turns = 20;
  function talks(seen: unknown[]): Script {
    return {
      inputs: Array.from({ length: 10 }, () => ({ state: null })),
      count: 10,
      continues: true,
      hear(_id, given, ask) {
        const { state } = ('output' in given ? given.output : {}) as { state: number };
        seen.push(state);
        if (state < turns) ask({ state });
      },
    };
  }
  const counting =
    "process.stdout.write(JSON.stringify({ id, output: { state: (input.state ?? 0) + 1 } }) + '\\n');";

  test('always hands the state back, and ends when nothing is owed', async () => {
    const seen: unknown[] = [];
    expect(await talk(program(counting), talks(seen))).toMatchObject({
      outcome: 'answered',
      answered: 10 * turns,
    });
    expect(seen.filter((state) => state === turns)).toHaveLength(10);
  });

  test('always ends as hung with a program that keeps its answers to itself', async () => {
    const keeping = program("lines.once('close', () => process.exit(0));");
    expect(await talk(keeping, talks([]), soonMs)).toMatchObject({ outcome: 'hung' });
  });

  test('always ends as crashed when the program goes half-way', async () => {
    const dying = program(`if (input.state > 10) process.exit(3); ${counting}`);
    expect(await talk(dying, talks([]))).toMatchObject({
      outcome: 'crashed',
      reason: expect.stringMatching(/code 3/),
    });
  });
});

test('an interrupted conversation is told from a program that hangs', async () => {
  const interrupt = new AbortController();
  setTimeout(() => interrupt.abort(), 200);
  const script: Script = { inputs: [{}], count: 1, continues: false, hear: () => undefined };
  const { outcome } = await converse(program('for (;;) {}'), script, {
    decision: 'pin-address',
    config: {},
    answerTimeoutMs: 30_000,
    signal: interrupt.signal,
  });
  expect(outcome).toBe('interrupted');
});

/** A zombie that nobody has reaped yet is dead. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
