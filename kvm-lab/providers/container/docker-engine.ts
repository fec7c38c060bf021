/**
 * The Docker engine that DOCKER_HOST or the client's context names, by its command line.
 * Invariant: every call has a deadline; the engine is asked, never started.
 */
import { spawnSync } from 'node:child_process';
import type { Unsupported } from '../unsupported.ts';

const callTimeoutMs = 20_000;
const maxOutputOctets = 16 << 20;

/** The client ended with an error, or did not start. */
export class DockerError extends Error {
  override readonly name = 'DockerError';
}

/** Output of `docker words…`. Throws DockerError with what it said. */
export function docker(words: readonly string[], timeoutMs: number = callTimeoutMs): string {
  const result = spawnSync('docker', words, {
    encoding: 'utf8',
    timeout: timeoutMs,
    maxBuffer: maxOutputOctets,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (result.status === 0) return result.stdout.trim();
  const said = result.error?.message ?? (result.stderr.trim().split('\n')[0] || `exit ${result.status}`);
  throw new DockerError(`docker ${words[0]}: ${said.slice(0, 500)}`);
}

const startIt = 'start it: systemctl start docker, or dockerd; one elsewhere is named by DOCKER_HOST';

/** Asked, not guessed. */
export function engineUnsupported(): Unsupported | null {
  try {
    docker(['version', '--format', '{{.Server.Version}}']);
    return null;
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    if (error.message.includes('ENOENT'))
      return { reason: 'no docker client on PATH', remedy: 'apt-get install -y docker.io' };
    return { reason: `no Docker engine answers: ${error.message}`, remedy: startIt };
  }
}

export const engineVersion = () => docker(['version', '--format', '{{.Server.Version}}']);
