/**
 * Preloaded into an engine that is to be killed: counts the calls that change the file system, and kills the process
 * with SIGKILL right before the one that HUSKPROOF_KILL_AT names; half of a write is made before.
 */
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const killAt = Number(process.env.HUSKPROOF_KILL_AT);
let calls = 0;

type Call = (...parameters: unknown[]) => unknown;

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal is there at the latest when the kernel is asked for something.
  for (;;) fs.readlinkSync('/proc/self/exe');
}

/** @param partly what is done of the call before the end, if anything */
function step(partly: () => void = () => undefined): void {
  calls += 1;
  if (calls !== killAt) return;
  partly();
  die();
}

function watch(object: object, name: string, partly?: (self: unknown, parameters: unknown[]) => void): void {
  const target = object as Record<string, Call>;
  const real = target[name] as Call;
  target[name] = function watched(this: unknown, ...parameters: unknown[]) {
    step(() => partly?.(this, parameters));
    return real.apply(this, parameters);
  };
}

for (const name of ['mkdir', 'rename', 'rm', 'unlink']) watch(promises, name);
for (const name of ['mkdirSync', 'renameSync', 'rmSync', 'unlinkSync', 'writeFileSync', 'ftruncateSync'])
  watch(fs, name);

const realOpen = promises.open as (
  ...parameters: Parameters<typeof promises.open>
) => ReturnType<typeof promises.open>;
let isPatched = false;
promises.open = async (...parameters) => {
  step();
  const handle = await realOpen(...parameters);
  if (!isPatched) {
    isPatched = true;
    const prototype = Object.getPrototypeOf(handle) as object;
    for (const name of ['datasync', 'sync', 'truncate']) watch(prototype, name);
    for (const name of ['appendFile', 'writeFile']) {
      watch(prototype, name, (self, [data]) => {
        const octets = Buffer.from(data as string);
        fs.writeSync((self as { fd: number }).fd, octets, 0, Math.floor(octets.length / 2));
      });
    }
  }
  return handle;
};
syncBuiltinESMExports();

process.on('exit', () => fs.writeSync(1, `calls ${calls}\n`));
