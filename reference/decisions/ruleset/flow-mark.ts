/** The conntrack mark of a sandbox's flows: which policy admitted them. */
import { hash } from 'node:crypto';
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import { canonicalText } from '../json-values.ts';

/**
 * 32 bits of SHA-256 over everything that the rules are made from, never 0: the same policy has the same
 * mark, whatever stood before; another policy or another sandbox has another one, but for one pair in 2^32.
 */
export function flowMark(pod: PodNetwork, network: SandboxNetwork, policy: SandboxPolicy): number {
  // Only what is nested deeply has no canonical text.
  const text = canonicalText({ pod, network, policy }) as string;
  return Number.parseInt(hash('sha256', text).slice(0, 8), 16) || 1;
}
