/** The one command line: reads a verb, runs it, turns every error into words and an exit code. */
import { Command, CommanderError } from 'commander';
import { CodedError } from '#reference/base/coded-error.ts';
import { painter } from '../report/terminal.ts';
import type { BenchCommandFlags } from './bench-command.ts';
import type { CheckFlags } from './check-command.ts';
import type { CheckDnsFlags } from './check-dns-command.ts';
import type { CheckGuestFlags } from './check-guest-command.ts';
import type { CheckNftFlags } from './check-nft-command.ts';
import { exitCodes, exitWith } from './exit-codes.ts';
import type { FuzzFlags } from './fuzz-command.ts';
import { addLabVerbs } from './lab-verbs.ts';
import type { MatrixFlags } from './matrix-command.ts';
import type { MutationFlags } from './mutation-command.ts';
import type { ProveFlags } from './prove-command.ts';
import type { ReproFlags } from './repro-command.ts';
import type { SandboxDnsFlags } from './sandbox-command.ts';
import type { SandboxServeFlags } from './sandbox-engine-command.ts';
import type { SandboxRunFlags } from './sandbox-run-command.ts';
import { readAsked, whenAsked } from './when-asked.ts';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.closedPipe);
  throw error;
});

const program = new Command('huskproof')
  .description('Proves the security claims of fork-sandboxes, on our code and on anybody’s.')
  .showSuggestionAfterError(true)
  .configureHelp({ subcommandTerm: (command) => command.name() })
  .exitOverride();

/** Every action returns its exit code. */
function verb(name: string, summary: string): Command {
  return program.command(name).summary(summary).description(summary).exitOverride();
}

whenAsked(
  verb('verify', 'the claim matrix: the decision tier whole, and what else this machine has ready'),
  async (command) => {
    const { addMatrixOptions, matrixCommand } = await import('./matrix-command.ts');
    addMatrixOptions(command, 'verify').action(async (flags: MatrixFlags) =>
      exitWith(await matrixCommand('verify', flags)),
    );
  },
);

whenAsked(
  verb('test:properties', 'the properties on the three subjects, without the mutants'),
  async (command) => {
    const { addMatrixOptions, matrixCommand } = await import('./matrix-command.ts');
    addMatrixOptions(command, 'test:properties').action(async (flags: MatrixFlags) =>
      exitWith(await matrixCommand('test:properties', flags)),
    );
  },
);

whenAsked(
  verb('test:mutation', 'small changes of the decisions, each of which a test or claim must notice'),
  async (command) => {
    const { addMutationOptions, mutationCommand } = await import('./mutation-command.ts');
    addMutationOptions(command).action(async (parts: string[], flags: MutationFlags) =>
      exitWith(await mutationCommand(parts, flags)),
    );
  },
);

whenAsked(
  verb('test:fuzz', 'hostile messages by the million against the wire codec, judged by models'),
  async (command) => {
    const { addFuzzOptions, fuzzCommand } = await import('./fuzz-command.ts');
    addFuzzOptions(command).action(async (target: string, flags: FuzzFlags) =>
      exitWith(await fuzzCommand(target, flags)),
    );
  },
);

whenAsked(
  verb('repro', 'a finding or claim: the attack on vulnerable, published and reference, side by side'),
  async (command) => {
    const { addReproOptions, reproCommand } = await import('./repro-command.ts');
    addReproOptions(command).action(async (target: string, flags: ReproFlags) =>
      exitWith(await reproCommand(target, flags)),
    );
  },
);

whenAsked(
  verb('subject', 'one of our subjects answers your own cases, a JSON line each'),
  async (command) => {
    const { addSubjectArguments, subjectCommand } = await import('./subject-command.ts');
    addSubjectArguments(command).action(async (name: string, decision: string, flags: { schema?: true }) =>
      exitWith(await subjectCommand(name, decision, flags)),
    );
  },
);

const check = verb('check', 'somebody else’s implementation').addHelpText(
  'after',
  '\nExamples:\n  pnpm check decision pin-address -- ./their-program\n  pnpm check nft --netns pod1 --tap tap0 --guest 10.200.0.2 --uplink eth0\n  pnpm check dns --server 127.0.0.1:53 --upstream-listen 127.0.0.1:5353\n  pnpm check guest --agent unix:/run/fork-1.sock unix:/run/fork-2.sock',
);
whenAsked(
  check
    .command('decision')
    .summary('a program that speaks the subject protocol')
    .description(
      'Holds a program to a decision: the published vectors, then the reference on generated inputs.',
    ),
  async (command) => {
    const { addCheckOptions, checkCommand } = await import('./check-command.ts');
    addCheckOptions(command).action(async (decision: string, program: string[], flags: CheckFlags) =>
      exitWith(await checkCommand(decision, program, flags)),
    );
  },
);

whenAsked(
  check
    .command('nft')
    .exitOverride()
    .summary('a ruleset of nftables, whoever wrote it')
    .description('Proves finding F4’s claims of a ruleset for every packet, or shows one that breaks them.'),
  async (command) => {
    const { addCheckNftOptions, checkNftCommand } = await import('./check-nft-command.ts');
    addCheckNftOptions(command).action(async (flags: CheckNftFlags) =>
      exitWith(await checkNftCommand(flags)),
    );
  },
);

whenAsked(
  check
    .command('dns')
    .exitOverride()
    .summary('a DNS forwarder, whoever wrote it')
    .description(
      'Asks a forwarder as a hostile guest and answers it as a hostile upstream: finding F1’s claims.',
    ),
  async (command) => {
    const { addCheckDnsOptions, checkDnsCommand } = await import('./check-dns-command.ts');
    addCheckDnsOptions(command).action(async (flags: CheckDnsFlags) =>
      exitWith(await checkDnsCommand(flags)),
    );
  },
);

whenAsked(
  check
    .command('guest')
    .exitOverride()
    .summary('forks of a snapshot and the agent in them, whoever wrote them')
    .description('Tells, attacks and reads forks of one snapshot: do they diverge? Finding F6’s claims.'),
  async (command) => {
    const { addCheckGuestOptions, checkGuestCommand } = await import('./check-guest-command.ts');
    addCheckGuestOptions(command).action(async (flags: CheckGuestFlags) =>
      exitWith(await checkGuestCommand(flags)),
    );
  },
);

whenAsked(
  verb('prove', 'what holds for every case of a stated scope: the decisions against their oracles'),
  async (command) => {
    const { addProveArguments, proveCommand } = await import('./prove-command.ts');
    addProveArguments(command).action(async (names: string[], flags: ProveFlags) =>
      exitWith(await proveCommand(names, flags)),
    );
  },
);

whenAsked(verb('bench', 'our decisions beside a peer, as ratios'), async (command) => {
  const { addBenchArguments, benchCommand } = await import('./bench-command.ts');
  addBenchArguments(command).action(async (names: string[], flags: BenchCommandFlags) =>
    exitWith(await benchCommand(names, flags)),
  );
});

const sandbox = verb('sandbox', 'parts of the reference for daily use, without a cluster').addHelpText(
  'after',
  '\nExamples:\n  pnpm sandbox run -- node -e "console.log(1)"\n  pnpm sandbox serve\n  pnpm --silent sandbox create\n  pnpm sandbox dns --netns builds --allow example.com:443',
);
whenAsked(
  sandbox
    .command('dns')
    .exitOverride()
    .summary('the DNS proxy as an egress filter for a network namespace or container')
    .description('Lets a network namespace reach what it resolves through the proxy, and nothing else.'),
  async (command) => {
    const { addSandboxDnsOptions, sandboxDnsCommand } = await import('./sandbox-command.ts');
    addSandboxDnsOptions(command).action(async (flags: SandboxDnsFlags) =>
      exitWith(await sandboxDnsCommand(flags)),
    );
  },
);
whenAsked(
  sandbox
    .command('serve')
    .exitOverride()
    .summary('forked microVMs behind HTTP on loopback, with a bearer token')
    .description('Templates, forks, exec and files of microVMs, for whoever has the token.'),
  async (command) => {
    const { addSandboxServeOptions, sandboxServeCommand } = await import('./sandbox-engine-command.ts');
    addSandboxServeOptions(command).action(async (flags: SandboxServeFlags) =>
      exitWith(await sandboxServeCommand(flags)),
    );
  },
);
whenAsked(
  sandbox
    .command('run')
    .exitOverride()
    .summary('one program in a fork of a warm microVM')
    .description('Forks a microVM that has nothing to itself, runs one program in it, and ends it.'),
  async (command) => {
    const { addSandboxRunOptions, sandboxRunCommand } = await import('./sandbox-run-command.ts');
    addSandboxRunOptions(command).action(async (argv: string[], flags: SandboxRunFlags) =>
      exitWith(await sandboxRunCommand(argv, flags)),
    );
  },
);

whenAsked(sandbox, async (command) => {
  const { addSandboxClientCommands } = await import('./sandbox-client-commands.ts');
  addSandboxClientCommands(command);
});

addLabVerbs(verb('lab', 'the machines that attacks run on'));

verb('generate', 'write what is generated: docs, schemas, vectors')
  .option('--check', 'write nothing; exit 1 when a file is stale')
  .addHelpText('after', '\nExamples:\n  pnpm generate\n  pnpm generate --check')
  .action(async (flags: { check?: true }) => {
    const { generateCommand } = await import('./generate-command.ts');
    exitWith(await generateCommand(flags));
  });

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
  await readAsked(program, process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
