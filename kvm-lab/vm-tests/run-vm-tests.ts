/**
 * `pnpm test:vm`: every file `*.vm.test.ts`, which boots microVMs, in a network and a mount namespace of its own.
 * Invariant: what cannot run here is named with why and what to do, and never counts as passed.
 */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defaultKernel, guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';
import { firecrackerUnsupported } from '#kvm-lab/providers/microvm/firecracker-readiness.ts';
import { microvmUnsupported } from '#kvm-lab/providers/microvm/readiness.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const deadlineMs = 900_000;
const nothingRan = 77;

/** What a file is run through: mounts of a test are seen by nobody else. */
const enter = process.getuid?.() === 0 ? ['unshare', '-nm'] : ['unshare', '-Urnm'];

function runOne(file: string): 'passed' | 'failed' {
  const vitest = [`${root}node_modules/vitest/vitest.mjs`, 'run', '--config', 'vitest.vm.config.ts'];
  const words = [...enter, process.execPath, ...vitest, '--configLoader', 'native', file];
  const { status } = spawnSync(words[0] as string, words.slice(1), {
    cwd: root,
    stdio: 'inherit',
    timeout: deadlineMs,
    env: { ...markedEnvironment(), OWN_MOUNTS: '1' },
  });
  console.log(`${status === 0 ? 'passed ' : 'FAILED '}  ${file}`);
  return status === 0 ? 'passed' : 'failed';
}

const wanted = process.argv.slice(2);
const files = globSync('{reference,properties,kvm-lab,e2e}/**/*.vm.test.ts', { cwd: root })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) console.log(`no file *.vm.test.ts has ${wanted.join(' or ')} in its path`);
const unsupported = microvmUnsupported();
// Before the files are in namespaces without a network.
if (unsupported === null && files.length > 0) {
  for (const kernel of [defaultKernel, '6.1']) await guestArtifacts(kernel, 'honest', console.error);
  for (const image of ['vsock', 'contract'] as const) {
    await guestArtifacts(defaultKernel, image, console.error);
  }
}
const noFirecracker = await firecrackerUnsupported();
const needsFirecracker = (file: string) =>
  /Needs: firecracker/.test(readFileSync(`${root}${file}`, 'utf8').split('*/')[0] ?? '');
const results = files.map((file) => {
  const why = needsFirecracker(file) ? noFirecracker : unsupported;
  if (why === null) return runOne(file);
  console.log(`skipped  ${file}: unsupported(${why.reason}): ${why.remedy}`);
  return 'skipped';
});
const count = (outcome: string) => results.filter((one) => one === outcome).length;
console.log(`\n${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`);
// Nothing that did not run counts as passed.
if (count('failed') > 0 || files.length === 0) process.exitCode = 1;
else if (count('passed') === 0) process.exitCode = nothingRan;
