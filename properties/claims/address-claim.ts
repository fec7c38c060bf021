/** What the F1 claims on addresses have in common: one address, one verdict, one sentence about it. */
import type * as fc from 'fast-check';
import { type AddressCase, emptyPolicy, notationOf } from '../arbitraries/addresses.ts';
import type { Subject } from '../subjects/subject.ts';
import type { AddressVector } from '../vectors/generate/addresses.ts';
import { loadCorpus } from '../vectors/load-corpus.ts';
import { type Claim, defineClaim } from './claim.ts';

/** Public addresses that every subject pins: the path is open. */
const openAddresses = ['93.184.216.34', '2606:2800:220:1:248:1893:25c8:1946'];

export interface AddressRequirement {
  readonly verdict: 'pin' | 'refuse';
  readonly rule: string;
}

export interface AddressClaim<Case extends AddressCase> {
  readonly id: `F1.${string}`;
  readonly statement: string;
  readonly source: string;
  readonly blindSpot?: string;
  readonly expected: Claim['expected'];
  arbitrary(): fc.Arbitrary<Case>;
  examples?(): readonly Case[];
  /** What the claim requires of the case; null when it says nothing about it. */
  requires(input: Case, subject: Subject): AddressRequirement | null;
}

export function decide(subject: Subject, { policy, address }: AddressCase) {
  return subject.decide('pin-address', policy)({ address });
}

export function defineAddressClaim<Case extends AddressCase>(own: AddressClaim<Case>): Claim<Case> {
  const { requires, ...rest } = own;
  return defineClaim<Case>({
    ...rest,
    decisions: ['pin-address'],
    control(subject) {
      const closed = openAddresses.filter(
        (address) => decide(subject, { policy: emptyPolicy, address }).verdict !== 'pin',
      );
      return closed.length === 0 ? null : `a public address is refused: ${closed.join(', ')}`;
    },
    judge(subject, input) {
      const required = requires(input, subject);
      if (required === null) return null;
      const { verdict, rule } = decide(subject, input);
      if (verdict === required.verdict) return null;
      return {
        observed: verdict === 'pin' ? 'pinned' : 'refused',
        observedRule: rule,
        required: required.verdict,
        requiredRule: required.rule,
      };
    },
    notation: notationOf,
    observe(subject, input) {
      const { verdict, pinnedAs, rule } = decide(subject, input);
      return `${verdict === 'pin' ? `pinned as ${pinnedAs ?? input.address}` : 'refused'}  [${rule}]`;
    },
  });
}

/** The published vectors with this verdict, as cases. */
export function addressVectors(
  verdict: AddressVector['verdict'],
  accepts: (vector: AddressVector) => boolean = () => true,
): AddressCase[] {
  const { vectors } = loadCorpus<AddressVector>('addresses');
  return vectors
    .filter((vector) => vector.verdict === verdict && !vector.flags.includes('text') && accepts(vector))
    .map(({ config, input }) => ({ policy: config, address: input.address }));
}
