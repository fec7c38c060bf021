import { defineConfig } from 'vitest/config';

/** Tests that boot microVMs: each file in a process of its own, by `pnpm test:vm`. */
export default defineConfig({
  test: {
    include: ['{reference,properties,kvm-lab,e2e}/**/*.vm.test.ts'],
    passWithNoTests: false,
    fileParallelism: false,
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
