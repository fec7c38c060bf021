/**
 * Ground for tests on the kernel: an uplink, in the network namespace that the runner made for this process.
 * Invariant: refuses a namespace that has any interface of somebody's: the host's network is never touched.
 */

import { execFileSync } from 'node:child_process';
import { contractPod } from '../decisions/ruleset/ruleset-samples.ts';

export function run(command: string, ...parameters: string[]): string {
  return execFileSync(command, parameters, { encoding: 'utf8', maxBuffer: 64 << 20 });
}

export const podAddress = '192.0.2.10';
export const worldMac = '0a:00:00:00:00:01';

/** `up0` with 192.0.2.10/24, and a router that answers nobody. Idempotent. */
export function layGround(): void {
  const names = run('ip', '-br', 'link')
    .split('\n')
    .map((line) => line.split(/[\s@]/)[0] ?? '');
  const strange = names.filter((name) => !['', 'lo', contractPod.uplink, 'world'].includes(name));
  if (strange.length > 0) throw new Error(`this is no namespace of a test: it has ${strange.join(', ')}`);
  if (names.includes(contractPod.uplink)) return;
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'link', 'add', contractPod.uplink, 'type', 'veth', 'peer', 'name', 'world');
  run('ip', 'address', 'add', `${podAddress}/24`, 'dev', contractPod.uplink);
  run('ip', 'link', 'set', contractPod.uplink, 'up');
  run('ip', 'link', 'set', 'world', 'up');
  run(
    'ip',
    'neigh',
    'replace',
    '192.0.2.1',
    'lladdr',
    worldMac,
    'nud',
    'permanent',
    'dev',
    contractPod.uplink,
  );
  run('ip', 'route', 'replace', 'default', 'via', '192.0.2.1');
}

/** Interfaces but for those of the ground. */
export function strangers(): string[] {
  const own = ['', 'lo', contractPod.uplink, 'world'];
  return run('ip', '-br', 'link')
    .split('\n')
    .map((line) => line.split(/[\s@]/)[0] ?? '')
    .filter((name) => !own.includes(name));
}

export const ruleset = () => run('nft', 'list', 'ruleset');
