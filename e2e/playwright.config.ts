/**
 * Playwright Test as the runner of the kernel tier: no browser, a worker more than cores, reports as JSON
 * and JUnit.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from '@playwright/test';
import { choice, reportFolder } from './fixtures/lab-choice.ts';

const folder = `../${reportFolder}`;

export default defineConfig({
  testDir: './specs',
  // What is true of containers alone has specs of its own.
  testMatch:
    choice.provider === 'container' ? '**/husk-{network,container}/*.spec.ts' : '**/husk-network/*.spec.ts',
  outputDir: `${folder}/playwright`,
  fullyParallel: true,
  forbidOnly: true,
  retries: 0,
  // One more than cores: a test waits for its window most of the time.
  workers: Number(process.env.HUSKPROOF_WORKERS ?? availableParallelism() + 1),
  timeout: choice.provider === 'container' ? 300_000 : 60_000,
  // A container for each test costs more than a namespace.
  globalTimeout: choice.provider === 'container' ? 1_800_000 : 900_000,
  reporter: [
    [
      './report/tier-reporter.ts',
      { tier: 'kernel', folder: reportFolder, on: `provider ${choice.provider}`, progressEvery: 50 },
    ],
    ['json', { outputFile: `${folder}/playwright.json` }],
    ['junit', { outputFile: `${folder}/junit.xml` }],
  ],
});
