/**
 * The init container's script after the published fix (findings.md F2, "Published"):
 * "`kernelProvisioner.kernelSha256` verifies fresh and already staged files and fails closed; empty means a
 * loud warning". It works on paths with shell tools; forkd boots the path.
 */
import type { Bind, OutputOf } from '../../protocol/decision.ts';
import type { kernelDigest } from '../../protocol/kernel-digest.ts';

type Output = OutputOf<typeof kernelDigest>;
type Action = Output['action'];

/** A script: yields calls, gets their results, returns its end. */
export type Script = Generator<[Action, string], [Action, string], { error: string | null; yes?: boolean }>;

/**
 * Runs a script as a step decision. The script is its own state: this subject answers one staging at a
 * time.
 */
export function scripted(
  script: (config: Parameters<Bind<typeof kernelDigest>>[0], phase: 'stage' | 'open') => Script,
): Bind<typeof kernelDigest> {
  return (config) => {
    return ({ state, event }) => {
      const past = event.kind === 'begin' ? { phase: event.phase, results: [] } : (state as Past);
      if (event.kind === 'result') past.results.push(event);
      // Replaying the results keeps the state plain JSON.
      const run = script(config, past.phase);
      let step = run.next();
      for (const result of past.results) step = run.next(result);
      const [action, rule] = step.value;
      return { state: past, action, rule };
    };
  };
}

interface Past {
  readonly phase: 'stage' | 'open';
  readonly results: { error: string | null; yes?: boolean }[];
}

const done = (outcome: 'staged' | 'booted' | 'refused', rule: string): [Action, string] => [
  { do: 'done', outcome },
  rule,
];

export const bind: Bind<typeof kernelDigest> = scripted(function* ({ sha256, destination }, phase): Script {
  if (phase === 'open') {
    const { error } = yield [{ do: 'boot', from: 'path' }, 'forkd boots the path'];
    return error === null ? done('booted', 'booted') : done('refused', error);
  }
  const temporary = `${destination}.tmp`;
  const { yes: there } = yield [{ do: 'is-file', path: destination }, 'skip if present'];
  if (there === true) {
    if (sha256 === '') return done('staged', 'present; a loud warning');
    const { yes: right } = yield [{ do: 'check-line', line: `${sha256}  ${destination}` }, 'sha256sum -c'];
    if (right === true) return done('staged', 'present and verified');
  }
  const fetched = yield [{ do: 'fetch', path: temporary }, 'download to dest.tmp'];
  if (fetched.error !== null) return done('refused', `download: ${fetched.error}`);
  if (sha256 !== '') {
    const { yes: right } = yield [{ do: 'check-line', line: `${sha256}  ${temporary}` }, 'sha256sum -c'];
    if (right !== true) {
      yield [{ do: 'unlink', path: temporary }, 'rm -f'];
      return done('refused', 'digest mismatch');
    }
  }
  const moved = yield [{ do: 'move', from: temporary, to: destination }, 'mv'];
  return moved.error === null ? done('staged', 'moved') : done('refused', `mv: ${moved.error}`);
});
