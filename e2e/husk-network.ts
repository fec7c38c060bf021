/**
 * `pnpm e2e:husk-network`: Playwright Test with the specs of the datapath, on the provider that is asked for; for a
 * user who is not root, inside a user namespace with a network of its own.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, Option } from 'commander';
import { markedEnvironment } from '#kvm-lab/leftovers/owner.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { acceleratorVariable, VmGuests } from '#kvm-lab/providers/microvm/vm-guests.ts';
import { rootlessUnsupported } from '#kvm-lab/providers/netns/rootless.ts';
import {
  loadProvider,
  type ProviderName,
  providerNamed,
  providerNames,
} from '#kvm-lab/providers/provider.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { exitCodes } from './cli/exit-codes.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const playwright = `${root}node_modules/@playwright/test/cli.js`;

const examples = `
Everything else goes to Playwright Test: --grep, --grep-invert, --workers, --list, --repeat-each, a file's name.

Examples:
  pnpm e2e:husk-network
  pnpm e2e:husk-network --grep 'ipv6\\.'
  pnpm e2e:husk-network --provider container
  pnpm e2e:husk-network --provider container --dns some
  pnpm e2e:husk-network --provider container --image my-husk:dev --grep F4.source
  pnpm e2e:husk-network --tier vm
  pnpm e2e:husk-network --tier vm --all --shard 1/4
  HUSKPROOF_SEED=7 pnpm e2e:husk-network --grep 'sources.network-address .*published$'`;

const dnsChoices = ['all', 'some'] as const;
type DnsChoice = (typeof dnsChoices)[number];

interface Flags {
  readonly provider?: string;
  readonly tier?: string;
  readonly image?: string;
  readonly all?: true;
  readonly dns: DnsChoice;
}

interface Choice extends Flags {
  readonly provider: ProviderName;
}

const tiers = ['kernel', 'vm'];

function chosenProvider({ provider, tier }: Flags): ProviderName {
  if (tier !== undefined && !tiers.includes(tier))
    throw new CodedError('bad-value', `--tier ${tier}`, `valid: ${tiers.join(', ')}`);
  const named = provider === undefined ? null : providerNamed(provider);
  if (tier === undefined) return named ?? 'netns';
  const isVm = named === 'microvm';
  if (named !== null && isVm !== (tier === 'vm'))
    throw new CodedError(
      'bad-value',
      `--provider ${named} is not of --tier ${tier}`,
      'leave one of them out',
    );
  return named ?? (tier === 'vm' ? 'microvm' : 'netns');
}

/** Where microVMs can be had: the probe is made and the template built once, before the workers begin. */
async function guestsReady(): Promise<Record<string, string>> {
  const provider = await loadProvider('microvm');
  if (provider.unsupported() !== null) return {};
  const { accelerator, reason } = await probeAccelerator();
  process.stderr.write(`guests run by ${accelerator}: ${reason}\n`);
  const guests = new VmGuests(accelerator);
  try {
    const begunMs = performance.now();
    const vmm = await guests.engine();
    process.stderr.write(
      `the template stands, after ${((performance.now() - begunMs) / 1_000).toFixed(1)} s\n`,
    );
    return { [acceleratorVariable]: accelerator, HUSKPROOF_VMM: vmm };
  } finally {
    await guests.close();
  }
}

const isGrep = (word: string) => /^(-g|--grep|--grep-invert)(=|$)/.test(word);

async function run({ provider, image, all, dns }: Choice, rest: readonly string[]): Promise<void> {
  if (image !== undefined && provider !== 'container') {
    throw new CodedError('bad-value', '--image is of --provider container', 'add it, or leave the image out');
  }
  const words = [playwright, 'test', '--config', `${root}e2e/playwright.config.ts`, ...rest];
  // Where a user namespace is of no use the specs say what is missing.
  const enters = provider === 'netns' && process.getuid?.() !== 0 && rootlessUnsupported() === null;
  const [program = process.execPath, ...before] = enters
    ? ['unshare', '-Urnm', process.execPath]
    : [process.execPath];
  const env = {
    ...markedEnvironment(),
    HUSKPROOF_PROVIDER: provider,
    HUSKPROOF_SELECTION: provider === 'microvm' && all !== true && !rest.some(isGrep) ? 'some' : 'all',
    HUSKPROOF_DNS: dns,
    ...(provider === 'microvm' ? await guestsReady() : {}),
    // Its own place is named after the user, and in a user namespace that is another root's.
    PLAYWRIGHT_TRANSFORM_CACHE_DIR: `${root}.cache/playwright`,
    ...(image === undefined ? {} : { HUSKPROOF_IMAGE: image }),
  };
  const child = spawn(program, [...before, ...words], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${program}: ${error.message}\n`);
    process.exitCode = exitCodes.internal;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : exitCodes.internal);
  });
}

/** What was typed was wrong, and not what was done with it. */
const isBadInput = ({ code }: CodedError) => code === 'bad-value' || code === 'unknown-provider';

const command = new Command('pnpm e2e:husk-network')
  .description(
    'Every attack on the datapath and what an honest guest may, on three subjects, on this kernel.',
  )
  .option('--provider <name>', `where pods and guests are: ${providerNames.join(', ')}; netns unless named`)
  .option('--tier <name>', 'kernel, or vm: guests are restored microVMs, the provider microvm')
  .option('--all', 'with --tier vm: every attack; without it, nor --grep, some of each claim')
  .addOption(
    new Option('--dns <which>', 'attacks on the DNS proxy: all, or the one that stands for each claim')
      .choices(dnsChoices)
      .default('all'),
  )
  .option('--image <name>', 'with --provider container: an image instead of the one of pnpm lab image')
  .argument('[playwright...]', 'what Playwright Test takes')
  .allowUnknownOption()
  .exitOverride()
  .addHelpText('after', examples)
  .action((rest: string[], flags: Flags) => run({ ...flags, provider: chosenProvider(flags) }, rest));

try {
  await command.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  else if (error instanceof CodedError) {
    process.stderr.write(`huskproof: ${error.message}\n  ${error.remediation} [${error.code}]\n`);
    process.exitCode = isBadInput(error) ? exitCodes.usage : exitCodes.internal;
  } else throw error;
}
