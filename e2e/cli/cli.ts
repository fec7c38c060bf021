/** The one command line: reads a verb, runs it, turns every error into words and an exit code. */
import { Command, CommanderError } from 'commander';
import { CodedError } from '#reference/base/coded-error.ts';
import { painter } from '../report/terminal.ts';
import { type ArtifactsFlags, addArtifactsOptions, artifactsCommand } from './artifacts-command.ts';
import { addBenchArguments, type BenchCommandFlags, benchCommand } from './bench-command.ts';
import { addCheckOptions, type CheckFlags, checkCommand } from './check-command.ts';
import { addCheckDnsOptions, type CheckDnsFlags, checkDnsCommand } from './check-dns-command.ts';
import { addCheckGuestOptions, type CheckGuestFlags, checkGuestCommand } from './check-guest-command.ts';
import { addCheckNftOptions, type CheckNftFlags, checkNftCommand } from './check-nft-command.ts';
import { addCleanOptions, type CleanFlags, cleanCommand } from './clean-command.ts';
import { exitCodes } from './exit-codes.ts';
import { addFuzzOptions, type FuzzFlags, fuzzCommand } from './fuzz-command.ts';
import { generateCommand } from './generate-command.ts';
import { guestsCommand } from './guests-command.ts';
import { addImageOptions, type ImageFlags, imageCommand } from './image-command.ts';
import { doctorCommand } from './lab-command.ts';
import { addLabForksOptions, type LabForksFlags, labForksCommand } from './lab-forks-command.ts';
import {
  addLabShellArguments,
  addLabUpOptions,
  type LabStatusFlags,
  type LabUpFlags,
  labDownCommand,
  labShellCommand,
  labStatusCommand,
  labUpCommand,
} from './lab-vm-command.ts';
import { addMatrixOptions, type MatrixFlags, matrixCommand } from './matrix-command.ts';
import { addMutationOptions, type MutationFlags, mutationCommand } from './mutation-command.ts';
import { addProbeOptions, type ProbeFlags, probeCommand } from './probe-command.ts';
import { addProveArguments, type ProveFlags, proveCommand } from './prove-command.ts';
import { addReproOptions, type ReproFlags, reproCommand } from './repro-command.ts';
import { addResolversOptions, type ResolversFlags, resolversCommand } from './resolvers-command.ts';
import { addRulesetsOptions, type RulesetsFlags, rulesetsCommand } from './rulesets-command.ts';
import { addSandboxClientCommands } from './sandbox-client-commands.ts';
import { addSandboxDnsOptions, type SandboxDnsFlags, sandboxDnsCommand } from './sandbox-command.ts';
import {
  addSandboxServeOptions,
  type SandboxServeFlags,
  sandboxServeCommand,
} from './sandbox-engine-command.ts';
import { addSandboxRunOptions, type SandboxRunFlags, sandboxRunCommand } from './sandbox-run-command.ts';
import { addSubjectArguments, subjectCommand } from './subject-command.ts';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.closedPipe);
  throw error;
});

const program = new Command('huskproof')
  .description('Proves the security claims of fork-sandboxes, on our code and on anybody’s.')
  .showSuggestionAfterError(true)
  .exitOverride();

/** Every action returns its exit code. */
function verb(name: string, summary: string): Command {
  return program.command(name).summary(summary).description(summary).exitOverride();
}

addMatrixOptions(
  verb('verify', 'the claim matrix: the decision tier whole, and what else this machine has ready'),
  'verify',
).action(async (flags: MatrixFlags) => exitWith(await matrixCommand('verify', flags)));

addMatrixOptions(
  verb('test:properties', 'the properties on the three subjects, without the mutants'),
  'test:properties',
).action(async (flags: MatrixFlags) => exitWith(await matrixCommand('test:properties', flags)));

addMutationOptions(
  verb('test:mutation', 'small changes of the decisions, each of which a test or claim must notice'),
).action(async (parts: string[], flags: MutationFlags) => exitWith(await mutationCommand(parts, flags)));

addFuzzOptions(
  verb('test:fuzz', 'hostile messages by the million against the wire codec, judged by models'),
).action(async (target: string, flags: FuzzFlags) => exitWith(await fuzzCommand(target, flags)));

addReproOptions(
  verb('repro', 'a finding or claim: the attack on vulnerable, published and reference, side by side'),
).action(async (target: string, flags: ReproFlags) => exitWith(await reproCommand(target, flags)));

addSubjectArguments(verb('subject', 'one of our subjects answers your own cases, a JSON line each')).action(
  async (name: string, decision: string, flags: { schema?: true }) =>
    exitWith(await subjectCommand(name, decision, flags)),
);

const check = verb('check', 'somebody else’s implementation').addHelpText(
  'after',
  '\nExamples:\n  pnpm check decision pin-address -- ./their-program\n  pnpm check nft --netns pod1 --tap tap0 --guest 10.200.0.2 --uplink eth0\n  pnpm check dns --server 127.0.0.1:53 --upstream-listen 127.0.0.1:5353\n  pnpm check guest --agent unix:/run/fork-1.sock unix:/run/fork-2.sock',
);
addCheckOptions(
  check
    .command('decision')
    .summary('a program that speaks the subject protocol')
    .description(
      'Holds a program to a decision: the published vectors, then the reference on generated inputs.',
    ),
).action(async (decision: string, program: string[], flags: CheckFlags) =>
  exitWith(await checkCommand(decision, program, flags)),
);

addCheckNftOptions(
  check
    .command('nft')
    .exitOverride()
    .summary('a ruleset of nftables, whoever wrote it')
    .description('Proves finding F4’s claims of a ruleset for every packet, or shows one that breaks them.'),
).action(async (flags: CheckNftFlags) => exitWith(await checkNftCommand(flags)));

addCheckDnsOptions(
  check
    .command('dns')
    .exitOverride()
    .summary('a DNS forwarder, whoever wrote it')
    .description(
      'Asks a forwarder as a hostile guest and answers it as a hostile upstream: finding F1’s claims.',
    ),
).action(async (flags: CheckDnsFlags) => exitWith(await checkDnsCommand(flags)));

addCheckGuestOptions(
  check
    .command('guest')
    .exitOverride()
    .summary('forks of a snapshot and the agent in them, whoever wrote them')
    .description('Tells, attacks and reads forks of one snapshot: do they diverge? Finding F6’s claims.'),
).action(async (flags: CheckGuestFlags) => exitWith(await checkGuestCommand(flags)));

addProveArguments(
  verb('prove', 'what holds for every case of a stated scope: the decisions against their oracles'),
).action(async (names: string[], flags: ProveFlags) => exitWith(await proveCommand(names, flags)));

addBenchArguments(verb('bench', 'our decisions beside a peer, as ratios')).action(
  async (names: string[], flags: BenchCommandFlags) => exitWith(await benchCommand(names, flags)),
);

const sandbox = verb('sandbox', 'parts of the reference for daily use, without a cluster').addHelpText(
  'after',
  '\nExamples:\n  pnpm sandbox run -- node -e "console.log(1)"\n  pnpm sandbox serve\n  pnpm --silent sandbox create\n  pnpm sandbox dns --netns builds --allow example.com:443',
);
addSandboxDnsOptions(
  sandbox
    .command('dns')
    .exitOverride()
    .summary('the DNS proxy as an egress filter for a network namespace or container')
    .description('Lets a network namespace reach what it resolves through the proxy, and nothing else.'),
).action(async (flags: SandboxDnsFlags) => exitWith(await sandboxDnsCommand(flags)));
addSandboxServeOptions(
  sandbox
    .command('serve')
    .exitOverride()
    .summary('forked microVMs behind HTTP on loopback, with a bearer token')
    .description('Templates, forks, exec and files of microVMs, for whoever has the token.'),
).action(async (flags: SandboxServeFlags) => exitWith(await sandboxServeCommand(flags)));
addSandboxRunOptions(
  sandbox
    .command('run')
    .exitOverride()
    .summary('one program in a fork of a warm microVM')
    .description('Forks a microVM that has nothing to itself, runs one program in it, and ends it.'),
).action(async (argv: string[], flags: SandboxRunFlags) => exitWith(await sandboxRunCommand(argv, flags)));
addSandboxClientCommands(sandbox, exitWith);

const lab = verb('lab', 'the machines that attacks run on').addHelpText(
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
  .action(async (flags: { json?: true }) => exitWith(await doctorCommand(flags)));

addRulesetsOptions(
  lab
    .command('rulesets')
    .exitOverride()
    .summary('capture the rulesets that libvirt, netavark, CNI plugins, Docker, firewalld and ufw install')
    .description('Runs each tool in namespaces of its own and keeps the ruleset that it installs.'),
).action(async (names: string[], flags: RulesetsFlags) => exitWith(await rulesetsCommand(names, flags)));

addResolversOptions(
  lab
    .command('resolvers')
    .exitOverride()
    .summary('check dnsmasq, unbound, BIND, Knot Resolver and PowerDNS Recursor as pnpm check dns does')
    .description('Runs each resolver in namespaces of its own and keeps what the check finds.'),
).action(async (names: string[], flags: ResolversFlags) => exitWith(await resolversCommand(names, flags)));
addArtifactsOptions(
  lab
    .command('artifacts')
    .exitOverride()
    .summary('fetch and build what guests boot from: kernel and initramfs, held to their digests')
    .description(
      'Prints paths and digests of a kernel and an initramfs; fetches and builds what is not there.',
    ),
).action(async (flags: ArtifactsFlags) => exitWith(await artifactsCommand(flags)));

addProbeOptions(
  lab
    .command('probe')
    .exitOverride()
    .summary('whether KVM runs a guest here, else TCG, and how long one takes to boot')
    .description('Boots a guest under KVM, and under TCG where that does not run, with a deadline.'),
).action(async (flags: ProbeFlags) => exitWith(await probeCommand(flags)));

addLabUpOptions(
  lab
    .command('up')
    .exitOverride()
    .summary('boot a template of microVMs and keep it: forks of it are there in a tenth of a second')
    .description('Leaves a fork engine running, with one template and a fork of it that stands ready.'),
).action(async (flags: LabUpFlags) => exitWith(await labUpCommand(flags)));

lab
  .command('status')
  .exitOverride()
  .summary('the lab that pnpm lab up left running')
  .description(
    'Says what runs: monitor, accelerator and why, kernel, template, forks. Exit code 3: nothing does.',
  )
  .option('--json', 'the answer as JSON on stdout')
  .addHelpText('after', '\nExamples:\n  pnpm lab status\n  pnpm --silent lab status --json')
  .action(async (flags: LabStatusFlags) => exitWith(await labStatusCommand(flags)));

addLabShellArguments(
  lab
    .command('shell')
    .exitOverride()
    .summary('a shell, or a program, in a fork of its own')
    .description('Forks the template, runs a shell or a program in it, and takes the fork away.'),
).action(async (program: string[]) => exitWith(await labShellCommand(program)));

addLabForksOptions(
  lab
    .command('forks')
    .exitOverride()
    .summary('forks that nobody told anything, their agents on unix sockets')
    .description('Forks a template without any gate, for a host of one’s own or pnpm check guest.'),
).action(async (flags: LabForksFlags) => exitWith(await labForksCommand(flags)));

lab
  .command('down')
  .exitOverride()
  .summary('end the lab, and all its microVMs')
  .description('Ends the lab that pnpm lab up left running, with all its microVMs.')
  .addHelpText('after', '\nExamples:\n  pnpm lab down')
  .action(async () => exitWith(await labDownCommand()));

lab
  .command('guests')
  .exitOverride()
  .summary('the guests that a lab can be made of: the honest one, and those that the gate refuses')
  .description('Lists the guests, what each does when it is forked, and which of its forks the gate refuses.')
  .option('--json', 'the answer as JSON on stdout')
  .addHelpText('after', '\nExamples:\n  pnpm lab guests\n  pnpm lab up --guest inventing')
  .action(async (flags: { json?: true }) => exitWith(await guestsCommand(flags)));

addImageOptions(
  lab
    .command('image')
    .exitOverride()
    .summary('build the image of a husk’s container from Debian’s packages; nothing is pulled')
    .description('Builds the image that --provider container runs, unless the engine has it already.'),
).action(async (flags: ImageFlags) => exitWith(await imageCommand(flags)));

addCleanOptions(
  lab
    .command('clean')
    .exitOverride()
    .summary('remove what killed runs of the lab left')
    .description('Removes what runs of the lab that were killed have left, and nothing of anybody else’s.'),
).action(async (flags: CleanFlags) => exitWith(await cleanCommand(flags)));

verb('generate', 'write what is generated: docs, schemas, vectors')
  .option('--check', 'write nothing; exit 1 when a file is stale')
  .addHelpText('after', '\nExamples:\n  pnpm generate\n  pnpm generate --check')
  .action(async (flags: { check?: true }) => exitWith(await generateCommand(flags)));

function exitWith(code: number): void {
  process.exitCode = code;
}

/** The code of a server's refusal is the one that the server gave. */
const toldBy = (error: CodedError) => (error as { told?: string }).told ?? error.code;

function report(error: unknown): number {
  const paint = painter(process.stderr);
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.asDeclared : exitCodes.usage;
  if (error instanceof CodedError) {
    process.stderr.write(
      `${paint('red', `huskproof: ${error.message}`)}\n  ${error.remediation} [${toldBy(error)}]\n`,
    );
    return exitCodes.usage;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(
    `${paint('red', 'huskproof: internal error')}; please report it with this text:\n${text}\n`,
  );
  return exitCodes.internal;
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
