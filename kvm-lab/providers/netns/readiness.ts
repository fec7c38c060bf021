/**
 * Who starts the lab and whether it can be had: root as he is, anybody else in a user namespace of his own.
 * Invariant: what is told was tried in the very process that would run the lab.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Unsupported } from '../unsupported.ts';

const probe = fileURLToPath(new URL('./readiness-main.ts', import.meta.url));
const probeTimeoutMs = 20_000;

/** A Node program where it may make namespaces; where nobody lets it, as it is: then the lab says what is missing. */
export function labCommand(script: string, words: readonly string[] = []): [string, string[]] {
  const node = [script, ...words];
  const isRoot = process.getuid?.() === 0;
  if (isRoot || spawnSync('unshare', ['-Urnm', 'true'], { timeout: probeTimeoutMs }).status !== 0)
    return [process.execPath, node];
  return ['unshare', ['-Urnm', process.execPath, ...node]];
}

let known: { readonly missing: Unsupported | null } | undefined;

/** null: the lab is ready. Tried once; a machine does not change under a run. */
export function labMissing(): Unsupported | null {
  known ??= { missing: tryLab() };
  return known.missing;
}

function tryLab(): Unsupported | null {
  const [program, words] = labCommand(probe);
  const { stdout, stderr, status, error } = spawnSync(program, words, {
    encoding: 'utf8',
    timeout: probeTimeoutMs,
  });
  if (status === 0) return JSON.parse(stdout) as Unsupported | null;
  const said = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
  return {
    reason: `the lab cannot be tried: ${said}`,
    remedy: 'run node kvm-lab/providers/netns/readiness-main.ts',
  };
}
