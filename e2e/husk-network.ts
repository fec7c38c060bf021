/**
 * `pnpm e2e:husk-network`: Playwright Test with the specs of the datapath; for a user who is not root, inside a
 * user namespace with a network of its own, where /dev/net/tun may be opened by everybody.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const playwright = `${root}node_modules/@playwright/test/cli.js`;
const words = [playwright, 'test', '--config', `${root}e2e/playwright.config.ts`, ...process.argv.slice(2)];

function mayOpenTaps(): boolean {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return false;
  }
}

const isRoot = process.getuid?.() === 0;
// Without a tap there is no use in it: the specs say then what is missing.
const [program, ...before] =
  !isRoot && mayOpenTaps() ? ['unshare', '-Urn', process.execPath] : [process.execPath];
const child = spawn(program ?? process.execPath, [...before, ...words], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`${program}: ${error.message}\n`);
  process.exitCode = 70;
});
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 70);
});
