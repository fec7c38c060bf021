/**
 * Captures the rulesets that tools nobody here wrote install: each tool runs for real, in namespaces of its
 * own. Invariant: the host's network, tables and files stay as they were.
 */
import { fileURLToPath } from 'node:url';
import {
  debianVersion,
  lackOf,
  outputDescriptor,
  runInNamespaces,
} from '../providers/tools-in-namespaces.ts';
import type { RulesetTool } from './ruleset-tool.ts';

const script = fileURLToPath(new URL('capture-run.ts', import.meta.url));
const captureTimeoutMs = 90_000;

export type Captured =
  | { readonly outcome: 'captured'; readonly text: string }
  | { readonly outcome: 'unsupported' | 'failed'; readonly reason: string; readonly remedy: string };

/** Never throws for what the machine lacks. */
export async function capture(tool: RulesetTool): Promise<Captured> {
  const lacking = lackOf(tool.programs);
  if (lacking !== null) return { outcome: 'unsupported', ...lacking };
  const words = [tool.name, String(outputDescriptor), debianVersion(tool.debianPackage)];
  const result = await runInNamespaces(script, words, captureTimeoutMs);
  if (result.outcome === 'done') return { outcome: 'captured', text: result.text };
  return { outcome: 'failed', reason: result.reason, remedy: 'see the words of the tool above' };
}
