/** The workflow that docs/ offers is what this repository understands: scripts, verbs, flags, files, exit codes. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { exitCodes } from '../cli/exit-codes.ts';
import { runCli } from '../cli/run-cli.ts';
import { readWorkflow } from './workflow.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const path = `${root}docs/workflows/husk-network-vm.yml`;
const workflow = readWorkflow(path);
const jobs = Object.values(workflow.jobs);
const steps = jobs.flatMap((job) => job.steps);
const commands = steps.flatMap(({ run }) => run ?? []).join('\n');
const called = [...commands.matchAll(/npx pnpm@12 ([^\n|]+)/g)].map(([, words = '']) =>
  words.trim().split(/\s+/),
);
const folder = makeLabFolder('workflow');
afterAll(() => removeLabFolder(folder));

describe('the workflow for runners with KVM', () => {
  test('calls only scripts that package.json has, and verbs that pnpm lab has', async () => {
    const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: object };
    expect(called.length).toBeGreaterThan(2);
    for (const [script = ''] of called) expect(Object.keys(scripts), script).toContain(script);
    const { stdout } = await runCli(['lab', '--help']);
    const verbs = called.filter(([script]) => script === 'lab').map(([, verb = '']) => verb);
    expect(verbs[0], 'the doctor comes first').toBe('doctor');
    for (const verb of verbs) expect(stdout, verb).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
  });

  test('gives e2e:husk-network only flags that it, or Playwright Test, has', () => {
    const program = `${root}e2e/husk-network.ts`;
    const own = spawnSync(process.execPath, [program, '--help'], { encoding: 'utf8' }).stdout;
    const playwright = `${root}node_modules/@playwright/test/cli.js`;
    const theirs = spawnSync(process.execPath, [playwright, 'test', '--help'], { encoding: 'utf8' }).stdout;
    const env = jobs.flatMap((job) => Object.values(job.env ?? {})).join(' ');
    const flags = `${called.find(([script]) => script === 'e2e:husk-network')?.join(' ')} ${env}`.match(
      /--[a-z-]+/g,
    );
    expect(flags).toEqual(expect.arrayContaining(['--tier', '--all', '--shard']));
    for (const flag of flags ?? []) expect(`${own}${theirs}`, flag).toContain(`${flag} `);
  });

  test('shards as many times as its matrix says, and each step that runs something has an id of its own', () => {
    for (const { env = {}, strategy } of jobs) {
      const count = strategy?.matrix.shard?.length;
      expect(env.SHARD).toBe(`\${{ matrix.shard }}/${count}`);
    }
    const ids = steps.flatMap(({ run, id }) => (run === undefined ? [] : (id ?? 'none')));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).not.toContain('none');
  });

  test('knows every exit code of the run, and names the variables that it reads', () => {
    for (const code of [exitCodes.asDeclared, exitCodes.differs, exitCodes.incomplete])
      expect(commands).toMatch(new RegExp(`^ *${code}\\) `, 'm'));
    const known = new Set(['code', ...jobs.flatMap((job) => Object.keys(job.env ?? {}))]);
    for (const [, name = ''] of commands.matchAll(/\$([A-Za-z_]+)/g)) expect([...known]).toContain(name);
    // An expression of GitHub's in a command is a way in for who names a branch.
    expect(commands).not.toContain('${{');
  });

  test('may read the repository and nothing else, pins what it uses, ends in time, and uploads JUnit whatever happens', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/^actions\/[a-z-]+@v\d+$/);
    for (const job of jobs) expect(job['timeout-minutes']).toBeGreaterThan(0);
    const upload = steps.find(({ uses }) => uses?.startsWith('actions/upload-artifact@'));
    expect(upload?.if).toBe('always()');
    expect(upload?.with?.path).toContain('reports/husk-network-microvm/junit.xml');
  });
});

describe('its steps, run here', () => {
  const run = (text: string, ...words: string[]) => {
    writeFileSync(`${folder}/workflow.yml`, text);
    const script = fileURLToPath(new URL('./run-steps.ts', import.meta.url));
    const all = [script, `${folder}/workflow.yml`, ...words];
    return spawnSync(process.execPath, all, { encoding: 'utf8' });
  };
  const two =
    'jobs: {a: {env: {ONE: x}, steps: [{uses: o/p@v1}, {id: s, name: S, run: echo $ONE$TWO}, {id: t, run: exit 3}]}}';

  test('have their variables, and end with the code of the first that fails', () => {
    const { status, stdout } = run(two, 'TWO=y');
    expect(stdout).toContain('xy');
    expect(status).toBe(3);
  });

  test('are left out by id only, and by name in the output', () => {
    const { status, stdout } = run(two, '--without', 't', 'TWO=y');
    expect(stdout).toContain('left out');
    expect(status).toBe(0);
    expect(run(two, '--without', 't,u').status).toBe(2);
    expect(run(two, '--without', 's,t').status).toBe(2);
  });

  test('are not run when the file is no workflow', () => {
    const { status, stderr } = run('jobs: {a: {}\n');
    expect(status).not.toBe(0);
    expect(stderr).toContain('bad-workflow');
  });
});
