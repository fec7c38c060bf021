/**
 * `pnpm repro <finding|claim>`: the attack on `vulnerable`, `published` and `reference`, on the same input, at the highest
 * tier that this machine has ready, with the evidence and the command that replays it.
 */
import type { Unsupported } from '#kvm-lab/providers/unsupported.ts';
import type { Claim, ClaimStatement, Finding } from '#properties/claims/claim.ts';
import { isDecisionClaim, loadMutants, loadStatements, selectClaims } from '#properties/matrix/catalogue.ts';
import { runMatrix } from '#properties/matrix/matrix.ts';
import { type Observation, observeCase } from '#properties/matrix/observe-case.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import type { Mutant } from '#properties/mutants/mutant.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { forksMissing } from '../fork-tier/fork-tier.ts';
import { ForkReproducer, type ForkReproduction, reproducedByForks } from './fork-reproduction.ts';
import { type KernelReproduction, kernelReproducers } from './kernel-reproduction.ts';

export interface DecisionReproduction {
  readonly tier: 'decision';
  readonly claim: Claim;
  /** The cell whose counterexample is shown; null when nothing falsified the claim within the runs. */
  readonly found: CellRecord | null;
  readonly observations: readonly Observation[];
  readonly seed: number;
}

/** A tier above that has an attack for the claim, and could not run it. */
export interface NotReproduced extends Unsupported {
  readonly tier: 'not run';
  readonly wanted: AttackTier;
  readonly claim: ClaimStatement;
}

export type Reproduction =
  | DecisionReproduction
  | (KernelReproduction & { readonly tier: 'kernel' })
  | (ForkReproduction & { readonly tier: 'vm' })
  | NotReproduced;

export type AttackTier = 'kernel' | 'vm';

export interface ReproOptions {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly signal: AbortSignal;
  /** null: the highest that is ready. */
  readonly tier: 'decision' | AttackTier | null;
  /** Told what begins, where it takes long. */
  readonly say: (line: string) => void;
}

/**
 * Reproduces claim after claim, each at the highest tier that has it ready; what was not ready is told first.
 * @throws CodedError `unknown-claim`, `nothing-selected`
 */
export async function* reproduce(options: ReproOptions): AsyncGenerator<Reproduction> {
  const { seed, signal, tier } = options;
  const mutants = await loadMutants();
  const claims = await loadStatements(await selectClaims([options.target]));
  const forks = new ForkReproducer(options.say);
  const isAtDecision = (claim: ClaimStatement): claim is Claim =>
    (tier === null || tier === 'decision') && isDecisionClaim(claim);
  if (!claims.some((claim) => attackOn(claim, tier, forks) !== null || isAtDecision(claim))) {
    throw new CodedError(
      'nothing-selected',
      `no claim of ${options.target} has attacks at tier ${tier}`,
      'leave --tier out, or name a claim that has (docs/claims.md)',
    );
  }
  try {
    for (const claim of claims) {
      if (signal.aborted) return;
      const attack = attackOn(claim, tier, forks);
      const missing = attack?.missing() ?? null;
      if (attack !== null && missing === null) yield await attack.reproduce(seed, signal);
      else {
        if (attack !== null && missing !== null)
          yield { tier: 'not run', wanted: attack.tier, claim, ...missing };
        if (isAtDecision(claim)) yield await atDecision(claim, mutants, options);
      }
    }
  } finally {
    await forks.end();
  }
}

interface AttackOnClaim {
  readonly tier: AttackTier;
  missing(): Unsupported | null;
  reproduce(seed: number, signal: AbortSignal): Promise<Reproduction>;
}

/** At the highest tier that has one, or at the one that was asked for. */
function attackOn(
  claim: ClaimStatement,
  tier: ReproOptions['tier'],
  forks: ForkReproducer,
): AttackOnClaim | null {
  if ((tier === null || tier === 'vm') && reproducedByForks.includes(claim.id)) {
    return {
      tier: 'vm',
      missing: forksMissing,
      reproduce: async (seed, signal) => ({ tier: 'vm', ...(await forks.reproduce(claim, seed, signal)) }),
    };
  }
  const reproducer = kernelReproducers[claim.id.split('.')[0] as Finding];
  if ((tier !== null && tier !== 'kernel') || reproducer?.claims.includes(claim.id) !== true) return null;
  return {
    tier: 'kernel',
    missing: () => reproducer.missing(),
    reproduce: async (seed, signal) => ({
      tier: 'kernel',
      ...(await reproducer.reproduce(claim, seed, signal)),
    }),
  };
}

/** The most instructive subject that falsifies the claim gives the input. */
async function atDecision(
  claim: Claim,
  mutants: readonly Mutant[],
  options: ReproOptions,
): Promise<DecisionReproduction> {
  const { vulnerable, published } = claim.expected.decision;
  // The residual of the published fix says most; then the original hole; a mutant shows what else the
  // claim sees.
  const mutant = mutants.find(({ killedBy, tier }) => killedBy === claim.id && tier === undefined);
  const subject =
    published === 'falsified'
      ? 'published'
      : vulnerable === 'falsified'
        ? 'vulnerable'
        : mutant === undefined
          ? 'reference'
          : `mutant:${mutant.id}`;
  const { seed, runs, signal } = options;
  const chosen = { claims: [claim.id], subjects: [subject], command: 'pnpm verify' };
  const report = await runMatrix({ seed, runs, signal, ...chosen });
  const found = report.records.find(({ outcome }) => outcome === 'falsified') ?? null;
  const path = found?.replay.match(/ --path (\S+)/)?.[1];
  const observations = found === null || path === undefined ? [] : await observeCase(claim, found.seed, path);
  return { tier: 'decision', claim, found, observations, seed };
}
