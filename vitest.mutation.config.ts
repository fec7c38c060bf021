/**
 * What judges a mutant: the unit tests beside the decisions, the corpora, and the claims on the reference with
 * few runs. `pnpm test:mutation` narrows it to one part of `reference/decisions` by HUSKPROOF_MUTATION_TESTS
 * (see properties/mutation/run-part.ts); by itself it runs everything.
 */
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import type { ClaimId } from './properties/claims/claim.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Ids of the claims that can see the mutants; null: every claim. */
    claims: readonly ClaimId[] | null;
  }
}

/** The cheapest judges first: a mutant that a unit test kills never waits for the claims. */
class UnitTestsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const cost = ({ moduleId }: TestSpecification) =>
      ['/reference/decisions/', '/properties/vectors/', '/properties/mutation/'].findIndex((part) =>
        moduleId.includes(part),
      );
    return [...files].sort((a, b) => cost(a) - cost(b));
  }
}

const everything = {
  files: [
    'reference/decisions/**/*.test.ts',
    'properties/vectors/*.test.ts',
    'properties/mutation/reference-claims.spec.ts',
  ],
  claims: null,
};
const chosen: { files: string[]; claims: ClaimId[] | null } =
  process.env.HUSKPROOF_MUTATION_TESTS === undefined
    ? everything
    : JSON.parse(process.env.HUSKPROOF_MUTATION_TESTS);

export default defineConfig({
  test: {
    include: chosen.files,
    provide: { claims: chosen.claims },
    sequence: { sequencer: UnitTestsFirst },
    testTimeout: 20_000,
  },
});
