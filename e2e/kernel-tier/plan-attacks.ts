/** Which attacks stand for the claims where not all of them run. */
import type { ClaimStatement } from '#properties/claims/claim.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import type { BuiltInSubject, DatapathSubject } from '#properties/subjects/subject.ts';
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

/** Ports are drawn from it: never negative. */
export const kernelSeed = (seed: number) => seed & 0x7fffffff;

/** The showpiece of each claim that has cells at tier kernel, on each subject that has such an input. */
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
      return subjects
        .filter((subject) => expected[subject] !== 'no-input')
        .map((subject) => ({ attack, subject, seed: kernelSeed(seed) }));
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
