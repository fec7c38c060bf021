/**
 * `pnpm e2e:fork`: Playwright Test with the specs on forks of real VMs: probes how guests run here, fetches what they
 * boot from, and hands both on.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { microvmUnsupported } from '#kvm-lab/providers/microvm/readiness.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { qemuVersion } from '#reference/vmm/qemu/qemu.ts';
import { exitCodes } from './cli/exit-codes.ts';
import { forkKernels } from './fork-tier/fork-lab.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const playwright = `${root}node_modules/@playwright/test/cli.js`;

const examples = `
Everything else goes to Playwright Test: --grep, --grep-invert, --workers, --list, --repeat-each, a file's name.

Examples:
  pnpm e2e:fork
  pnpm e2e:fork --grep F6.order
  pnpm e2e:fork --grep 'siblings.two .*published$'
  pnpm e2e:fork --long`;

interface Flags {
  readonly long?: true;
  readonly accelerator?: string;
}

/** What the environment of the run carries. null: this machine has no guests, which the tests say. */
async function prepared({ accelerator }: Flags): Promise<Record<string, string>> {
  if (microvmUnsupported() !== null) return {};
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  for (const kernel of forkKernels) await guestArtifacts(kernel, 'reference', say);
  const chosen = accelerator ?? (await probed(say));
  return { HUSKPROOF_ACCELERATOR: chosen, HUSKPROOF_VMM: `qemu ${await qemuVersion()} ${chosen}` };
}

async function probed(say: (line: string) => void): Promise<string> {
  const { accelerator, reason } = await probeAccelerator();
  say(`guests run with ${accelerator}: ${reason}`);
  return accelerator;
}

async function run(flags: Flags, rest: readonly string[]): Promise<void> {
  const { accelerator } = flags;
  if (accelerator !== undefined && accelerator !== 'kvm' && accelerator !== 'tcg') {
    throw new CodedError(
      'bad-value',
      `--accelerator ${accelerator} is none`,
      'give kvm or tcg, or leave it out',
    );
  }
  const words = [playwright, 'test', '--config', `${root}e2e/playwright-fork.config.ts`, ...rest];
  const env = {
    ...markedEnvironment(),
    ...(await prepared(flags)),
    ...(flags.long === true ? { HUSKPROOF_LONG: '1' } : {}),
    PLAYWRIGHT_TRANSFORM_CACHE_DIR: `${root}.cache/playwright`,
  };
  const child = spawn(process.execPath, words, { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = exitCodes.internal;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : exitCodes.internal);
  });
}

const command = new Command('pnpm e2e:fork')
  .description('Forks of real VMs, on three subjects: what siblings draw, and what the gate lets pass.')
  .option('--long', '32 siblings and 200 honest forks too')
  .option('--accelerator <name>', 'kvm or tcg (default: what a probe boot finds)')
  .argument('[playwright...]', 'what Playwright Test takes')
  .allowUnknownOption()
  .exitOverride()
  .addHelpText('after', examples)
  .action((rest: string[], flags: Flags) => run(flags, rest));

try {
  await command.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  else if (error instanceof CodedError) {
    process.stderr.write(`huskproof: ${error.message}\n  ${error.remediation} [${error.code}]\n`);
    process.exitCode = error.code === 'artifact-missing' ? exitCodes.incomplete : exitCodes.usage;
  } else throw error;
}
