/** An agent that waits for its host in a thread, as on each of its channels, ends when it is to end. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const module = new URL('./exit-at-once.ts', import.meta.url).href;
const patienceMs = 30_000;
const hangMs = 2_000;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exit-'));
  spawnSync('mkfifo', [join(folder, 'port')]);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A process that reads where nobody writes, and exits. null: it did not, and was killed. */
function codeOf(first: string, deadlineMs: number): Promise<number | null> {
  const program = `
    import { open, read } from 'node:fs';
    ${first}
    open(${JSON.stringify(join(folder, 'port'))}, 'r+', (error, fd) => {
      read(fd, Buffer.alloc(1), 0, 1, null, () => undefined);
      setTimeout(() => { console.error('failed'); process.exit(70); }, 100);
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
}

test('ends with its code while a thread waits; without it, the process hangs', async () => {
  const atOnce = `import { exitAtOnce } from ${JSON.stringify(module)}; exitAtOnce();`;
  expect(await codeOf(atOnce, patienceMs)).toBe(70);
  expect(await codeOf('', hangMs)).toBeNull();
});
