/** Which attacks stand for the claims where not all of them run. */
import type { ClaimStatement } from '#properties/claims/claim.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { type BuiltInSubject, builtInSubjects, type DatapathSubject } from '#properties/subjects/subject.ts';
import { attackNamed } from '../attacks/catalogue.ts';
import { dnsAttackNamed, dnsShowpieces } from '../attacks/dns-catalogue.ts';
import { showpieces } from '../attacks/showpieces.ts';
import { commonOf, type DeclaredAttack } from '../fixtures/attack-record.ts';

export interface AttackJob {
  readonly attack: string;
  readonly subject: DatapathSubject;
  readonly seed: number;
  /** With the kernel's trace, for `repro`. */
  readonly trace?: true;
}

export const isDnsAttack = (id: string) => id.startsWith('dns-');

/** Throws CodedError `unknown-attack`. */
const declaredAttack = (id: string): DeclaredAttack =>
  isDnsAttack(id) ? dnsAttackNamed(id) : attackNamed(id);

const mutantsOf = (id: string): DatapathSubject[] =>
  ((isDnsAttack(id) ? dnsAttackNamed(id) : attackNamed(id)).falsifiedBy ?? []).map(
    (mutant) => `mutant:${mutant}` as const,
  );

/** Ports are drawn from it: never negative. */
export const kernelSeed = (seed: number) => seed & 0x7fffffff;

/**
 * The showpiece of each claim that has cells at tier kernel, on each subject that has such an input. Whether a claim is
 * vacuous only the whole set of subjects tells.
 */
export function planAttacks(
  claims: readonly ClaimStatement[],
  subjects: readonly BuiltInSubject[],
  seed: number,
): AttackJob[] {
  return claims
    .filter(({ expected }) => expected.kernel !== undefined)
    .flatMap(({ id }) => {
      const attack = showpieces[id as `F4.${string}`] ?? dnsShowpieces.get(id)?.id;
      if (attack === undefined) throw new Error(`no attack stands for ${id}: name one in e2e/attacks`);
      const { expected } = declaredAttack(attack);
      const own: DatapathSubject[] = subjects.filter((subject) => expected[subject] !== 'no-input');
      // What no subject of the history falls to, a mutant does: else nothing shows that the attack can succeed.
      const isShown =
        Object.values(expected).includes('falsified') || subjects.length < builtInSubjects.length;
      const mutants = isShown ? [] : mutantsOf(attack).slice(0, 1);
      return [...own, ...mutants].map((subject) => ({ attack, subject, seed: kernelSeed(seed) }));
    });
}

/** Why an attack was not judged; never counted as passed. */
export function withoutVerdict(
  { attack, subject, seed }: AttackJob,
  outcome: 'unsupported' | 'not-run' | 'crashed' | 'hung',
  reason: string,
): CellRecord {
  return {
    ...commonOf(declaredAttack(attack), subject, seed),
    judgedCases: 0,
    outcome,
    asExpected: false,
    reason,
  };
}
