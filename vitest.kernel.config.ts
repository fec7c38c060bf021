import { defineConfig } from 'vitest/config';

/** Tests on the kernel: each file in a process and a network namespace of its own, by `pnpm test:kernel`. */
export default defineConfig({
  test: {
    include: ['{reference,properties,kvm-lab,e2e}/**/*.kernel.test.ts'],
    passWithNoTests: false,
    fileParallelism: false,
    pool: 'forks',
    testTimeout: 120_000,
  },
});
