import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{reference,properties,kvm-lab,e2e}/**/*.{test,property}.ts'],
    exclude: ['**/node_modules/**', '**/*.kernel.test.ts', '**/*.vm.test.ts'],
    passWithNoTests: false,
    testTimeout: 60_000,
    // Many tests wait for processes: without it one of two processors has nothing to do.
    maxWorkers: '100%',
  },
});
