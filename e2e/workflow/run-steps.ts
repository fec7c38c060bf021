/**
 * `node e2e/workflow/run-steps.ts FILE [--without ID,…] [NAME=VALUE …]`: the steps of a workflow that run commands,
 * in order, as the runner would, on this machine.
 * Invariant: a step that is left out is named; the first that fails ends it with its exit code.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { exitCodes } from '../cli/exit-codes.ts';
import { readWorkflow } from './workflow.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** As GitHub's `shell: bash`. */
const shell = ['--noprofile', '--norc', '-eo', 'pipefail', '-c'];

const { values, positionals } = parseArgs({
  options: { without: { type: 'string', default: '' } },
  allowPositionals: true,
});
const [path = '', ...settings] = positionals;
const without = new Set(values.without.split(',').filter((id) => id !== ''));
const given = Object.fromEntries(settings.map((setting) => setting.split(/=(.*)/s, 2)));

function runAll(): number {
  let ran = 0;
  for (const { env = {}, steps, 'timeout-minutes': minutes = 60 } of Object.values(readWorkflow(path).jobs)) {
    const plain = Object.entries(env).filter(([, value]) => !value.includes('${{'));
    for (const { id = '', name = '', run } of steps) {
      if (run === undefined) continue;
      if (without.delete(id)) {
        process.stdout.write(`-- ${name}: left out, it is of the runner\n`);
        continue;
      }
      process.stdout.write(`-- ${name}\n`);
      const { status, signal } = spawnSync('bash', [...shell, run], {
        cwd: root,
        stdio: 'inherit',
        timeout: minutes * 60_000,
        env: { ...Object.fromEntries(plain), ...process.env, ...given },
      });
      if (status !== 0) return status ?? (signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.internal);
      ran += 1;
    }
  }
  const [unknown] = without;
  if (unknown === undefined && ran > 0) return exitCodes.asDeclared;
  process.stderr.write(ran === 0 ? 'there was no step to run\n' : `there is no step ${unknown}\n`);
  return exitCodes.usage;
}

process.exitCode = runAll();
