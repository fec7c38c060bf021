/** An engine that is killed before any of its steps on the disk: the next one starts, and nothing of it is left. */
import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { EngineGround, noSecrets, run } from './engine-ground.ts';

interface Said {
  readonly lines: readonly string[];
  readonly signal: string | null;
}

const own = (name: string) => new URL(`./${name}.ts`, import.meta.url).pathname;

async function runUntil(folder: string, killAt: number): Promise<Said> {
  const child = spawn(process.execPath, ['--import', own('killed-step'), own('killed-engine'), folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HUSKPROOF_KILL_AT: String(killAt) },
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const signal = await new Promise<string | null>((resolve) =>
    child.once('close', (_code, name) => resolve(name)),
  );
  if (signal === null && !text.includes('closed')) throw new Error(`it ended by itself: ${errors}`);
  return { lines: text.split('\n').filter((line) => line !== ''), signal };
}

/** What the next engine must find and do, whatever step the last one was killed at. */
async function judge(ground: EngineGround, { lines }: Said, what: string): Promise<void> {
  const engine = await ground.start();
  const built = lines.flatMap((line) => /^template (\S+)/.exec(line)?.[1] ?? []);
  const removed = lines.flatMap((line) => /^removed (\S+)/.exec(line)?.[1] ?? []);
  const there = engine.forkd.templates().map(({ id }) => id);
  // What was said to stand stands, but for what was being removed; what was said to be gone is gone.
  for (const id of built.slice(0, 1)) expect(there, what).toContain(id);
  for (const id of removed) expect(there, what).not.toContain(id);
  const { templates, witnesses } = ground.left();
  expect(templates.toSorted(), what).toEqual(there.toSorted());
  const snapshots = engine.forkd.templates().map(({ snapshot }) => snapshot);
  expect(
    witnesses.filter((name) => !snapshots.includes(name)),
    what,
  ).toEqual([]);
  expect(ground.left().journal, what).toEqual([]);
  expect(engine.forkd.sandboxes(), what).toEqual([]);
  for (const { id: template, volumes: slots } of engine.forkd.templates()) {
    if (slots.length > 0) continue;
    const { id } = await engine.forkd.fork({ template, ...noSecrets });
    expect((await run(engine, id, ['echo', 'whole'])).text, what).toBe('whole');
  }
  await engine.forkd.close();
}

test('killed with SIGKILL before each call that changes the file system', { timeout: 600_000 }, async () => {
  let steps: number;
  {
    using ground = new EngineGround();
    const whole = await runUntil(ground.folder, 0);
    expect(whole.signal).toBe(null);
    steps = Number(/^calls (\d+)$/.exec(whole.lines.at(-1) ?? '')?.[1]);
    await judge(ground, whole, 'not killed');
  }
  expect(steps).toBeGreaterThan(60);
  let killed = 0;
  let next = 1;
  const lane = async () => {
    for (let at = next++; at <= steps; at = next++) {
      using ground = new EngineGround();
      const said = await runUntil(ground.folder, at);
      // The number of steps hangs on what comes together: near the end there may be none of that number.
      if (said.signal !== null) killed += 1;
      await judge(ground, said, `killed before step ${at}`);
    }
  };
  await Promise.all([lane(), lane(), lane()]);
  expect(killed).toBeGreaterThan(steps - 10);
});
