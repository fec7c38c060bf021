/**
 * Playwright Test as the runner of the kernel tier: no browser, one worker for each core, reports as JSON
 * and JUnit.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from '@playwright/test';

const folder = '../reports/husk-network';

export default defineConfig({
  testDir: './specs/husk-network',
  outputDir: `${folder}/playwright`,
  fullyParallel: true,
  forbidOnly: true,
  retries: 0,
  workers: Number(process.env.HUSKPROOF_WORKERS ?? Math.max(2, availableParallelism())),
  timeout: 60_000,
  globalTimeout: 900_000,
  reporter: [
    ['./report/kernel-reporter.ts'],
    ['json', { outputFile: `${folder}/playwright.json` }],
    ['junit', { outputFile: `${folder}/junit.xml` }],
  ],
});
