/**
 * `pnpm e2e:husk-network`: Playwright Test with the specs of the datapath; for a user who is not root, inside a
 * user namespace. What is missing the specs say.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { labCommand } from '#kvm-lab/providers/netns/readiness.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const playwright = `${root}node_modules/@playwright/test/cli.js`;
const words = ['test', '--config', `${root}e2e/playwright.config.ts`, ...process.argv.slice(2)];
const [program, all] = labCommand(playwright, words);
const child = spawn(program, all, { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`${program}: ${error.message}\n`);
  process.exitCode = 70;
});
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 70);
});
