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

/** The nearest and cheapest judges first, as they are listed: a mutant that one of them kills waits for no other. */
class AsListed extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) =>
      chosen.files.findIndex((file) => moduleId.endsWith(`/${file}`));
    return [...files].sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: chosen.files,
    provide: { claims: chosen.claims },
    sequence: { sequencer: AsListed },
    testTimeout: 20_000,
  },
});
