/**
 * Playwright Test as the runner of the network attacks: no browser, a worker more than cores, reports as JSON
 * and JUnit.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from '@playwright/test';
import { choice, reportFolder, tier } from './fixtures/lab-choice.ts';

const folder = `../${reportFolder}`;

export default defineConfig({
  testDir: './specs',
  // What is true of containers alone has specs of its own.
  testMatch: choice.isSelection
    ? '**/husk-network/{attacks,dns-attacks,honest-guest,lab}.spec.ts'
    : choice.provider === 'container'
      ? '**/husk-{network,container}/*.spec.ts'
      : '**/husk-network/*.spec.ts',
  // It makes its own pods, in namespaces.
  testIgnore: choice.provider === 'container' ? '**/dns-repro.spec.ts' : [],
  outputDir: `${folder}/playwright`,
  fullyParallel: true,
  forbidOnly: true,
  retries: 0,
  // One more than cores: a test waits for its window most of the time.
  workers: Number(process.env.HUSKPROOF_WORKERS ?? availableParallelism() + 1),
  // A container or a VM for each test costs more than a namespace.
  timeout: choice.provider === 'netns' ? 60_000 : 300_000,
  globalTimeout: choice.provider === 'netns' ? 900_000 : 3_600_000,
  reporter: [
    [
      './report/tier-reporter.ts',
      { tier, vmm: choice.vmm, folder: reportFolder, on: `provider ${choice.provider}`, progressEvery: 50 },
    ],
    ['json', { outputFile: `${folder}/playwright.json` }],
    ['junit', { outputFile: `${folder}/junit.xml` }],
  ],
});
