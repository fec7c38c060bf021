/** Somebody's program over the subject protocol: each way to fail is told from the others, and no process is left. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { converse } from './conversation.ts';

const folder = mkdtempSync(join(tmpdir(), 'huskproof-external-'));
afterAll(() => rmSync(folder, { recursive: true }));

const cases = Array.from({ length: 50 }, (_, id) => ({ id, input: { address: '::1' } }));
const answer =
  "process.stdout.write(JSON.stringify({ id, output: { verdict: 'refuse', rule: 'x' } }) + '\\n');";

/** A program whose body runs for each case, with `id` and the count of cases so far. */
function program(body: string, before = ''): string[] {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.cjs`);
  writeFileSync(
    file,
    `${before}
     const lines = require('node:readline').createInterface({ input: process.stdin });
     let count = -1;
     lines.on('line', (line) => {
       count += 1;
       if (count === 0) return;
       const { id } = JSON.parse(line);
       ${body}
     });`,
  );
  return [process.execPath, file];
}

const options = {
  decision: 'pin-address',
  config: {},
  answerTimeoutMs: 1_000,
  signal: new AbortController().signal,
};
const talk = (command: readonly string[]) => converse(command, cases, options);

describe('a program', () => {
  test('that answers every case always ends as answered', async () => {
    const { outcome, outputs } = await talk(program(answer));
    expect(outcome).toBe('answered');
    expect(outputs.size).toBe(50);
  });

  test('may answer in any order, and refuse a case', async () => {
    const refusing =
      "process.stdout.write(JSON.stringify({ id, error: { code: 'x', message: 'never heard of it' } }) + '\\n');";
    const backwards = program(
      `(globalThis.ids ??= []).push(id); if (globalThis.ids.length === 50) for (const id of globalThis.ids.reverse()) { if (id === 7) { ${refusing} } else { ${answer} } }`,
    );
    const { outcome, refused } = await talk(backwards);
    expect(outcome).toBe('answered');
    expect([...refused]).toEqual([[7, 'never heard of it']]);
  });

  test.each([
    ['crashed', program(`if (count > 10) process.exit(3); ${answer}`), /code 3/],
    ['crashed', program(`if (count > 10) process.kill(process.pid, 'SIGKILL'); ${answer}`), /SIGKILL/],
    ['short', program(`if (count < 10) { ${answer} }`), /unanswered, the first has id 9/],
    [
      'hung',
      program(
        answer,
        'setInterval(() => {}, 1000); process.stdin.pause(); process.stdin.on = () => process.stdin;',
      ),
      /1000 ms/,
    ],
    ['hung', program('for (;;) {}'), /the next one owed has id 0/],
    ['garbage', program("console.log('hello');"), /not JSON: hello/],
    ['garbage', program('console.log(JSON.stringify({ id }));'), /neither output nor error/],
    ['duplicate-id', program(`${answer} ${answer}`), /id 0 is answered twice/],
    ['unknown-id', program('console.log(JSON.stringify({ id: 99, output: {} }));'), /99 was never asked/],
    ['not-executable', ['/nowhere/at/all'], /ENOENT/],
    ['not-executable', [folder], /EACCES/],
  ])('that fails always ends as %s', async (outcome, command, reason) => {
    const conversation = await talk(command);
    expect(conversation.outcome).toBe(outcome);
    expect(conversation.reason).toMatch(reason);
  });

  test('that floods stderr is never held up, and its words are bounded', async () => {
    const { outcome, stderr } = await talk(
      program(`process.stderr.write('noise\\n'.repeat(20000)); ${answer}`),
    );
    expect(outcome).toBe('answered');
    expect(stderr.length).toBeLessThanOrEqual(20);
  });

  test('never leaves a child behind when it is cut off', async () => {
    const file = join(folder, 'child.pid');
    const spawning = program(
      'for (;;) {}',
      `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
       require('node:fs').writeFileSync(${JSON.stringify(file)}, String(child.pid));`,
    );
    expect((await talk(spawning)).outcome).toBe('hung');
    const pid = Number(readFileSync(file, 'utf8'));
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
  });
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
