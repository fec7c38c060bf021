/**
 * Playwright Test as the runner of tier vm: no browser, a worker for each file, each with templates of its own; reports
 * as JSON and JUnit.
 */
import { defineConfig } from '@playwright/test';
import { forkChoice } from './fixtures/fork-choice.ts';
import { forkReportFolder } from './fork-tier/fork-record.ts';

const folder = `../${forkReportFolder}`;

export default defineConfig({
  testDir: './specs/fork',
  testMatch: '**/*.spec.ts',
  outputDir: `${folder}/playwright`,
  // Tests of a file share templates, and come in the order in which these are booted.
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  // An emulated processor of a guest is a core.
  workers: Number(process.env.HUSKPROOF_WORKERS ?? 2),
  timeout: forkChoice.isLong ? 1_800_000 : 600_000,
  globalTimeout: forkChoice.isLong ? 7_200_000 : 2_400_000,
  reporter: [
    [
      './report/tier-reporter.ts',
      {
        ...{ tier: 'vm', vmm: forkChoice.vmm, folder: forkReportFolder, progressEvery: 5 },
        on: `QEMU with ${forkChoice.accelerator}`,
      },
    ],
    ['json', { outputFile: `${folder}/playwright.json` }],
    ['junit', { outputFile: `${folder}/junit.xml` }],
  ],
});
