/** `pnpm lab …`: the machines that attacks run on. */
import type { Command } from 'commander';
import type { ArtifactsFlags } from './artifacts-command.ts';
import type { CleanFlags } from './clean-command.ts';
import { exitWith } from './exit-codes.ts';
import type { ImageFlags } from './image-command.ts';
import type { LabForksFlags } from './lab-forks-command.ts';
import type { LabStatusFlags, LabUpFlags } from './lab-vm-command.ts';
import type { ProbeFlags } from './probe-command.ts';
import type { ResolversFlags } from './resolvers-command.ts';
import type { RulesetsFlags } from './rulesets-command.ts';
import { whenAsked } from './when-asked.ts';

export function addLabVerbs(lab: Command): void {
  lab.addHelpText(
    'after',
    '\nExamples:\n  pnpm lab doctor\n  pnpm lab image\n  pnpm lab artifacts\n  pnpm lab probe\n  pnpm lab up\n  pnpm lab shell\n  pnpm lab forks --folder forks\n  pnpm lab down\n  pnpm lab clean\n  pnpm lab rulesets --check\n  pnpm lab resolvers --check',
  );
  lab
    .command('doctor')
    .summary('which tiers this machine has, why not the others, and the command that adds each')
    .description(
      'Which tiers this machine has, why not the others, and the command that adds each. Changes nothing.',
    )
    .option('--json', 'the answer as JSON on stdout')
    .addHelpText('after', '\nExamples:\n  pnpm lab doctor\n  pnpm --silent lab doctor --json')
    .action(async (flags: { json?: true }) => {
      const { doctorCommand } = await import('./lab-command.ts');
      exitWith(await doctorCommand(flags));
    });
  addCaptureVerbs(lab);
  addBootVerbs(lab);
  addMachineVerbs(lab);
  whenAsked(
    lab
      .command('image')
      .exitOverride()
      .summary('build the image of a husk’s container from Debian’s packages; nothing is pulled')
      .description('Builds the image that --provider container runs, unless the engine has it already.'),
    async (command) => {
      const { addImageOptions, imageCommand } = await import('./image-command.ts');
      addImageOptions(command).action(async (flags: ImageFlags) => exitWith(await imageCommand(flags)));
    },
  );

  whenAsked(
    lab
      .command('clean')
      .exitOverride()
      .summary('remove what killed runs of the lab left')
      .description('Removes what runs of the lab that were killed have left, and nothing of anybody else’s.'),
    async (command) => {
      const { addCleanOptions, cleanCommand } = await import('./clean-command.ts');
      addCleanOptions(command).action(async (flags: CleanFlags) => exitWith(await cleanCommand(flags)));
    },
  );
}

/** What other people’s programs do, captured and checked. */
function addCaptureVerbs(lab: Command): void {
  whenAsked(
    lab
      .command('rulesets')
      .exitOverride()
      .summary('capture the rulesets that libvirt, netavark, CNI plugins, Docker, firewalld and ufw install')
      .description('Runs each tool in namespaces of its own and keeps the ruleset that it installs.'),
    async (command) => {
      const { addRulesetsOptions, rulesetsCommand } = await import('./rulesets-command.ts');
      addRulesetsOptions(command).action(async (names: string[], flags: RulesetsFlags) =>
        exitWith(await rulesetsCommand(names, flags)),
      );
    },
  );

  whenAsked(
    lab
      .command('resolvers')
      .exitOverride()
      .summary('check dnsmasq, unbound, BIND, Knot Resolver and PowerDNS Recursor as pnpm check dns does')
      .description('Runs each resolver in namespaces of its own and keeps what the check finds.'),
    async (command) => {
      const { addResolversOptions, resolversCommand } = await import('./resolvers-command.ts');
      addResolversOptions(command).action(async (names: string[], flags: ResolversFlags) =>
        exitWith(await resolversCommand(names, flags)),
      );
    },
  );
}

/** What guests boot from, and whether they do. */
function addBootVerbs(lab: Command): void {
  whenAsked(
    lab
      .command('artifacts')
      .exitOverride()
      .summary('fetch and build what guests boot from: kernel and initramfs, held to their digests')
      .description(
        'Prints paths and digests of a kernel and an initramfs; fetches and builds what is not there.',
      ),
    async (command) => {
      const { addArtifactsOptions, artifactsCommand } = await import('./artifacts-command.ts');
      addArtifactsOptions(command).action(async (flags: ArtifactsFlags) =>
        exitWith(await artifactsCommand(flags)),
      );
    },
  );

  whenAsked(
    lab
      .command('probe')
      .exitOverride()
      .summary('whether KVM runs a guest here, else TCG, and how long one takes to boot')
      .description('Boots a guest under KVM, and under TCG where that does not run, with a deadline.'),
    async (command) => {
      const { addProbeOptions, probeCommand } = await import('./probe-command.ts');
      addProbeOptions(command).action(async (flags: ProbeFlags) => exitWith(await probeCommand(flags)));
    },
  );

  lab
    .command('guests')
    .exitOverride()
    .summary('the guests that a lab can be made of: the honest one, and those that the gate refuses')
    .description(
      'Lists the guests, what each does when it is forked, and which of its forks the gate refuses.',
    )
    .option('--json', 'the answer as JSON on stdout')
    .addHelpText('after', '\nExamples:\n  pnpm lab guests\n  pnpm lab up --guest inventing')
    .action(async (flags: { json?: true }) => {
      const { guestsCommand } = await import('./guests-command.ts');
      exitWith(await guestsCommand(flags));
    });
}

/** A lab that stays until it is ended. */
function addMachineVerbs(lab: Command): void {
  whenAsked(
    lab
      .command('up')
      .exitOverride()
      .summary('boot a template of microVMs and keep it: forks of it are there in a tenth of a second')
      .description('Leaves a fork engine running, with one template and a fork of it that stands ready.'),
    async (command) => {
      const { addLabUpOptions, labUpCommand } = await import('./lab-vm-command.ts');
      addLabUpOptions(command).action(async (flags: LabUpFlags) => exitWith(await labUpCommand(flags)));
    },
  );

  lab
    .command('status')
    .exitOverride()
    .summary('the lab that pnpm lab up left running')
    .description(
      'Says what runs: monitor, accelerator and why, kernel, template, forks. Exit code 3: nothing does.',
    )
    .option('--json', 'the answer as JSON on stdout')
    .addHelpText('after', '\nExamples:\n  pnpm lab status\n  pnpm --silent lab status --json')
    .action(async (flags: LabStatusFlags) => {
      const { labStatusCommand } = await import('./lab-vm-command.ts');
      exitWith(await labStatusCommand(flags));
    });

  whenAsked(
    lab
      .command('shell')
      .exitOverride()
      .summary('a shell, or a program, in a fork of its own')
      .description('Forks the template, runs a shell or a program in it, and takes the fork away.'),
    async (command) => {
      const { addLabShellArguments, labShellCommand } = await import('./lab-vm-command.ts');
      addLabShellArguments(command).action(async (program: string[]) =>
        exitWith(await labShellCommand(program)),
      );
    },
  );

  whenAsked(
    lab
      .command('forks')
      .exitOverride()
      .summary('forks that nobody told anything, their agents on unix sockets')
      .description('Forks a template without any gate, for a host of one’s own or pnpm check guest.'),
    async (command) => {
      const { addLabForksOptions, labForksCommand } = await import('./lab-forks-command.ts');
      addLabForksOptions(command).action(async (flags: LabForksFlags) =>
        exitWith(await labForksCommand(flags)),
      );
    },
  );

  lab
    .command('down')
    .exitOverride()
    .summary('end the lab, and all its microVMs')
    .description('Ends the lab that pnpm lab up left running, with all its microVMs.')
    .addHelpText('after', '\nExamples:\n  pnpm lab down')
    .action(async () => {
      const { labDownCommand } = await import('./lab-vm-command.ts');
      exitWith(await labDownCommand());
    });
}
