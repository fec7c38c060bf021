/** What `pnpm e2e:husk-network` says of a choice that it cannot serve: a usage error, or unsupported, never a pass. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const timeoutMs = 120_000;

function run(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${root}e2e/husk-network.ts`, ...words], {
    encoding: 'utf8',
    timeout: timeoutMs,
    env: { ...process.env, HUSKPROOF_REPORTS: 'reports/husk-network-test', ...environment },
  });
  return { status, stdout, stderr };
}

describe('the choice of a provider', () => {
  test('that is unknown is refused, with the names of those that are there', () => {
    const { status, stderr } = run(['--provider', 'docker']);
    expect(status).toBe(2);
    expect(stderr).toContain(
      'there is no provider docker\n  valid: netns, container, microvm [unknown-provider]',
    );
  });

  test('an image is refused where no container runs', () => {
    const { status, stderr } = run(['--image', 'mine:1']);
    expect(status).toBe(2);
    expect(stderr).toContain('[bad-value]');
  });

  test('of another tier than the one that is named is refused, and so is a tier that has none', () => {
    for (const words of [
      ['--tier', 'vm', '--provider', 'netns'],
      ['--tier', 'kernel', '--provider', 'microvm'],
      ['--tier', 'cluster'],
    ]) {
      const { status, stderr } = run(words);
      expect(status, words.join(' ')).toBe(2);
      expect(stderr).toContain('[bad-value]');
    }
  });

  test('is explained by --help, with examples', () => {
    const { status, stdout } = run(['--help']);
    expect(status).toBe(0);
    for (const word of ['--provider', '--tier', '--all', '--image', '--grep', 'Examples:'])
      expect(stdout).toContain(word);
  });

  test(
    'without what microVMs need every test is skipped with reason and remedy, and the exit code says so',
    () => {
      const words = ['--tier', 'vm', '--grep', 'sources.network-address'];
      // Where programs of the kernel tier are, and no other.
      const { status, stdout } = run(words, { PATH: '/usr/sbin:/sbin' });
      expect(status).toBe(3);
      expect(stdout).toMatch(/\d+ skipped: unsupported: .+; .+/);
      expect(stdout).toMatch(/^0 passed, 0 failed, [1-9]\d* skipped on provider microvm/m);
    },
    timeoutMs,
  );

  test(
    'without an engine every test is skipped with reason and remedy, and the exit code says so',
    () => {
      const words = ['--provider', 'container', '--grep', 'sources.network-address'];
      const { status, stdout } = run(words, { DOCKER_HOST: `unix://${root}no-engine.sock` });
      expect(status).toBe(3);
      expect(stdout).toMatch(/\d+ skipped: unsupported: .+; .+/);
      expect(stdout).toMatch(/^0 passed, 0 failed, [1-9]\d* skipped on provider container/m);
    },
    timeoutMs,
  );
});
