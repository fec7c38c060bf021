/** `pnpm check guest`: do the forks of anybody's snapshot diverge, and does its agent hold what finding F6 asks? */
import type { Command } from 'commander';
import { claimIds } from '../blackbox/guest/claim-ids.ts';
import { type Checked, checkGuest } from '../blackbox/guest/claims-of-guest.ts';
import { checkOwner, type GuestFlags, settingsOf, usualExec } from '../blackbox/guest/flags.ts';
import { partsOf } from '../blackbox/guest/parts-of.ts';
import type { Settings } from '../blackbox/guest/settings.ts';
import { runOctets } from '../blackbox/guest/shared-octets.ts';
import { guestDryRun, guestText, targetText } from '../report/guest-text.ts';
import { counted, painter } from '../report/terminal.ts';
import { exitCodeOf, progressTo, replayWords, reportCheck } from './check-report.ts';
import { exitCodes } from './exit-codes.ts';
import { parseInteger, parseSeed } from './parse-values.ts';

export interface CheckGuestFlags extends GuestFlags {
  readonly siblings?: string;
  readonly forks?: string;
  readonly octets?: string;
  readonly rate?: string;
  readonly duration?: string;
  readonly timeout?: string;
  readonly wait?: string;
  readonly runs?: string;
  readonly seed?: string;
  readonly json?: string | true;
  readonly junit?: string;
  readonly dryRun?: true;
}

const help = `
Two kinds of targets, alone or together:

  agents    --agent for each fork of one snapshot (or one with {n} in it). Each is told that it was forked,
            judged as the gate of a host does, attacked, and released: such a fork is spent. With --services
            (exec) or --read also what the forks draw is compared.
  commands  --read prints random octets of fork {n}, raw or in hex, and nothing else; --fork starts fork {n}, in the
            foreground or not; --end takes it away. Without --fork and --agent each run of --read is a fork of its own.

An ENDPOINT is unix:/path/socket, fc:/path/socket:PORT (Firecracker's vsock) or vsock:CID:PORT; the ports are
1024 (control) and 1025 (services). Claims: ${claimIds.join(' ')}.
Each is told part by part: holds, falsified, hung, crashed, garbage, flood; unsupported and not-run with the
reason. A fork that is read twice has to give other octets the second time, and as many as --octets asks for
(the positive control), else nothing is judged by what it draws. The protocol, and recipes for QEMU and
Firecracker: docs/check-guest.md.

Examples:
  pnpm check guest --agent unix:/run/fork-1.sock unix:/run/fork-2.sock --dry-run
  pnpm check guest --agent 'unix:/run/{n}.control' --services 'unix:/run/{n}.services' --forks 16
  pnpm check guest --agent 'fc:/run/fc-{n}.vsock' --services 'fc:/run/fc-{n}.vsock' --fork './fork.sh {n}' --end './end.sh {n}'
  pnpm check guest --fork './fork.sh {n}' --read 'ssh fork-{n} head -c 64 /dev/urandom' --claim F6.diverged
  pnpm check guest --read 'pnpm --silent lab shell -- head -c 64 /dev/urandom' --claim F6.diverged

Exit codes: 0 every claim holds, 1 one is broken, 2 bad input (nothing was sent or run), 3 none is broken but one is
unsupported or not-run, or a fork was left behind, 70 internal error, 130 interrupted (what ran is reported), 141 output
closed`;

export function addCheckGuestOptions(command: Command): Command {
  return command
    .option('--agent <endpoint...>', 'the control channel of each fork’s agent, siblings first')
    .option('--services <endpoint...>', 'its services channel (exec), in the same order')
    .option(
      '--agent-unprivileged <endpoint>',
      'an agent that cannot credit: no CAP_SYS_ADMIN, or no random device',
    )
    .option('--fork <command>', 'starts fork {n} of the snapshot, in the foreground or not')
    .option('--end <command>', 'takes fork {n} away')
    .option('--read <command...>', 'prints random octets that are drawn in fork {n}, and nothing else')
    .option('--read-process <command...>', 'the same, of a process that was alive at the snapshot')
    .option('--exec <command>', `what --services runs in the guest (default: ${usualExec.join(' ')})`)
    .option('--log <file...>', 'console or log of fork {n}, in which no seed may be')
    .option('--siblings <n>', 'forks that are compared (default: 2)')
    .option('--forks <n>', 'forks of all kinds, at most (default: 16)')
    .option('--octets <n>', `that a read has to give (default: 32, at least ${runOctets})`)
    .option('--claim <id...>', 'only these claims')
    .option('--part <id...>', 'only these parts of them')
    .option('--rate <n>', 'requests and commands a second, at most (default: 50)')
    .option('--duration <seconds>', 'stop after (default: 300)')
    .option('--timeout <ms>', 'longest wait for an answer, the gate’s included (default: 5000)')
    .option('--wait <seconds>', 'for a fork to be there, and for a command to end (default: 60)')
    .option('--runs <n>', 'generated lines (default: 40)')
    .option('--seed <n>', '32-bit integer for them (default: a fresh one, printed)')
    .option('--json [file]', 'the result as JSON, on stdout or in a file')
    .option('--junit <file>', 'the result as JUnit XML')
    .option('--dry-run', 'show what would be sent and run; do neither')
    .option('--i-own-this-target', 'the agent is another user’s socket or a vsock address, and is mine')
    .addHelpText('after', help);
}

export async function checkGuestCommand(flags: CheckGuestFlags): Promise<number> {
  const settings = readSettings(flags);
  const parts = partsOf(settings);
  if (flags.dryRun === true) {
    process.stdout.write(`${guestDryRun(parts, settings)}\n`);
    return exitCodes.asDeclared;
  }
  checkOwner(settings, flags.iOwnThisTarget === true);
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort()).once('SIGTERM', () => interrupt.abort());
  const { forks, durationMs } = settings;
  process.stderr.write(
    `${counted(parts.length, 'part')}, at most ${forks} forks and ${durationMs / 1_000} s.\n`,
  );
  const begin = performance.now();
  const checked = await checkGuest(settings, interrupt.signal, progressTo(process.stderr));
  report(flags, settings, checked, (performance.now() - begin) / 1_000);
  return interrupt.signal.aborted ? exitCodes.interrupted : exitCodeOf(checked);
}

function readSettings(flags: CheckGuestFlags): Settings {
  const number = (option: string, text: string | undefined, usual: number, least: number, most: number) =>
    parseInteger(option, text ?? String(usual), least, most);
  return settingsOf(flags, {
    siblings: number('--siblings', flags.siblings, 2, 2, 32),
    forks: number('--forks', flags.forks, 16, 2, 64),
    octets: number('--octets', flags.octets, 32, runOctets, 65_536),
    perSecond: number('--rate', flags.rate, 50, 1, 10_000),
    durationMs: number('--duration', flags.duration, 300, 1, 86_400) * 1_000,
    timeoutMs: number('--timeout', flags.timeout, 5_000, 50, 600_000),
    waitMs: number('--wait', flags.wait, 60, 1, 3_600) * 1_000,
    seed: parseSeed(flags.seed),
    runs: number('--runs', flags.runs, 40, 0, 10_000),
  });
}

function report(flags: CheckGuestFlags, settings: Settings, checked: Checked, seconds: number): void {
  const target = targetText(settings);
  reportCheck(flags, {
    kind: 'guest',
    where: { target },
    seed: settings.seed,
    words: ['pnpm', 'check', 'guest', ...replayWords(flags, flagNames), '--seed', String(settings.seed)],
    ...{ checked, seconds },
    text: (replays) => guestText({ checked, target, settings, ...replays, seconds }, painter(process.stdout)),
  });
}

const flagNames: Readonly<Record<string, string>> = {
  agent: '--agent',
  services: '--services',
  agentUnprivileged: '--agent-unprivileged',
  fork: '--fork',
  end: '--end',
  read: '--read',
  readProcess: '--read-process',
  exec: '--exec',
  log: '--log',
  siblings: '--siblings',
  forks: '--forks',
  octets: '--octets',
  rate: '--rate',
  duration: '--duration',
  timeout: '--timeout',
  wait: '--wait',
  runs: '--runs',
  iOwnThisTarget: '--i-own-this-target',
};
