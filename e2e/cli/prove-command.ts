/** `pnpm prove [name…]`: what holds for every case of a stated scope, not for samples. */
import type { Command } from 'commander';
import { readEnvironment } from '#properties/matrix/environment.ts';
import type { Proof } from '#properties/proofs/proof.ts';
import { listProofNames, selectProofs } from '#properties/proofs/run/proof-catalogue.ts';
import { type ProofReport, runProofs } from '#properties/proofs/run/run-proofs.ts';
import { asWanted, countsText, proofBlock, proofSummary } from '../report/proof-text.ts';
import { painter } from '../report/terminal.ts';
import { exitCodes } from './exit-codes.ts';

export interface ProveFlags {
  readonly mutants?: true;
  readonly bruteForceIpv4?: true;
  readonly json?: true;
}

const names = await listProofNames();

export function addProveArguments(command: Command): Command {
  return command
    .argument('[names...]', `which: ${names.join(', ')} (default: all that do not run on demand)`)
    .option('--mutants', 'plant the mistakes that each proof names: it must be refuted, with a trace')
    .option('--brute-force-ipv4', 'decide all 2^32 IPv4 addresses one by one (alone, or beside the names)')
    .option('--json', 'the results as JSON on stdout')
    .addHelpText(
      'after',
      `
Examples:
  pnpm prove
  pnpm prove pin-address --mutants
  pnpm prove --brute-force-ipv4
  pnpm --silent prove --json

Exit codes: 0 everything proved, and every mutant refuted, 1 a proof refuted or a mutant not, 2 bad input
(nothing ran), 3 a proof did not end in time, 70 a proof crashed, 130 interrupted (what ran is reported),
141 output closed`,
    );
}

export async function proveCommand(wanted: readonly string[], flags: ProveFlags): Promise<number> {
  const proofs = await selectProofs(wanted, flags.bruteForceIpv4 === true ? ['--brute-force-ipv4'] : []);
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  // With JSON on stdout the text goes to stderr, so that a pipe gets JSON alone.
  const out = flags.json === true ? process.stderr : process.stdout;
  const paint = painter(out);
  const progress = proofProgress();
  const start = performance.now();
  const reports = await runProofs(proofs, {
    mutants: flags.mutants === true,
    scale: 'full',
    signal: interrupt.signal,
    progress: progress.advanced,
    report(report) {
      progress.clear();
      out.write(`${proofBlock(report, paint)}\n\n`);
    },
  });
  progress.clear();
  process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
  out.write(`${proofSummary(reports, (performance.now() - start) / 1000)}\n`);
  if (flags.json === true) process.stdout.write(`${JSON.stringify(jsonOf(proofs, reports), null, 2)}\n`);
  return interrupt.signal.aborted ? exitCodes.interrupted : exitCode(reports);
}

/** A crash is a defect of huskproof, whatever else there is; what did not end says less than a refutation. */
export function exitCode(reports: readonly ProofReport[]): number {
  const outcomes = reports.map(({ result }) => result.outcome);
  if (outcomes.includes('crashed')) return exitCodes.internal;
  if (reports.some((report) => !asWanted(report) && report.result.outcome !== 'not-run')) {
    return exitCodes.differs;
  }
  return outcomes.includes('not-run') ? exitCodes.incomplete : exitCodes.asDeclared;
}

function jsonOf(proofs: readonly Proof[], reports: readonly ProofReport[]) {
  return {
    v: 1,
    environment: readEnvironment(),
    proofs: proofs.map(({ name, statement, bounds, assumptions }) => {
      const mine = reports.filter(({ proof }) => proof.name === name);
      const own = mine.find(({ mutant }) => mutant === null);
      return {
        name,
        statement,
        bounds,
        assumptions,
        ...own?.result,
        seconds: own?.seconds,
        mutants: mine.flatMap(({ mutant, result, seconds }) =>
          mutant === null ? [] : [{ id: mutant.id, mistake: mutant.mistake, ...result, seconds }],
        ),
      };
    }),
  };
}

const quietMs = 2_000;
const plainIntervalMs = 5_000;

/** On stderr, once a run takes longer than two seconds: a moving line on a terminal, else one now and then. */
function proofProgress() {
  const { stderr } = process;
  const moving = stderr.isTTY === true;
  const start = performance.now();
  let lastMs = start + quietMs - plainIntervalMs;
  return {
    advanced(proof: Proof, counts: Readonly<Record<string, number>>) {
      const now = performance.now();
      if (now - start < quietMs || (!moving && now - lastMs < plainIntervalMs)) return;
      lastMs = now;
      const line = `${proof.name}: ${countsText(counts)}`;
      stderr.write(moving ? `\r\u001b[K${line.slice(0, (stderr.columns ?? 80) - 1)}` : `… ${line}\n`);
    },
    clear() {
      if (moving) stderr.write('\r\u001b[K');
    },
  };
}
