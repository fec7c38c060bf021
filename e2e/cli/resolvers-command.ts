/** `pnpm lab resolvers`: checks resolvers that nobody here wrote, or compares what is found with what is committed. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import {
  debianVersion,
  lackOf,
  outputDescriptor,
  runInNamespaces,
} from '#kvm-lab/providers/tools-in-namespaces.ts';
import type { ResolverTool } from '#kvm-lab/resolvers/resolver-tool.ts';
import { tools } from '#kvm-lab/resolvers/tools.ts';
import {
  committedResults,
  differences,
  type ResolverResult,
  resultPath,
  resultText,
} from '../blackbox/dns/resolver-result.ts';
import { writeReport } from '../report/write-report.ts';
import { chosenTools, runTools, type ToolRow } from './tool-rows.ts';

export interface ResolversFlags {
  readonly out?: string;
  readonly check?: true;
}

const script = fileURLToPath(new URL('../blackbox/dns/resolver-run.ts', import.meta.url));
const timeoutMs = 300_000;

export function addResolversOptions(command: Command): Command {
  return command
    .argument('[resolvers...]', `${tools.map(({ name }) => name).join(', ')} (default: all)`)
    .option('--out <folder>', 'where to write the results (default: properties/vectors/measured/resolvers)')
    .option('--check', 'write nothing: check each, and compare with what is committed')
    .addHelpText(
      'after',
      `
Each resolver runs for real, with its documented setting against rebinding, in network, mount and process namespaces of
its own; pnpm check dns is its guest and its upstream. Wants root. A resolver that is not installed is skipped, with
the command that adds it. docs/resolvers.md is made of the results by pnpm generate.

Examples:
  pnpm lab resolvers --check
  pnpm lab resolvers unbound --out results

Exit codes: 0 checked (and as committed), 1 a resolver failed or differs, 2 bad input, 3 no resolver is here`,
    );
}

export async function resolversCommand(names: readonly string[], flags: ResolversFlags): Promise<number> {
  return runTools('resolver', chosenTools('resolver', tools, names), (tool) => one(tool, flags));
}

async function one(tool: ResolverTool, flags: ResolversFlags): Promise<ToolRow> {
  const lacking = lackOf(tool.programs);
  if (lacking !== null) {
    return { tool: tool.name, outcome: 'skipped', detail: `${lacking.reason}; ${lacking.remedy}` };
  }
  const { debianPackage } = tool;
  const version = debianPackage === null ? 'of this repository' : debianVersion(debianPackage);
  const words = [tool.name, String(outputDescriptor), version];
  const run = await runInNamespaces(script, words, timeoutMs);
  if (run.outcome === 'failed') return { tool: tool.name, outcome: 'failed', detail: run.reason };
  const result = JSON.parse(run.text) as ResolverResult;
  const { state, reason } = result.server;
  // A control that was never answered is no result; a server that died of an attack is one.
  if (state !== 'answers' && !result.claims.some(({ outcome }) => outcome === 'crashed')) {
    return { tool: tool.name, outcome: 'failed', detail: `${state}: ${reason}` };
  }
  if (flags.check === true) return compare(tool.name, result);
  const path = flags.out === undefined ? resultPath(tool.name) : join(flags.out, `${tool.name}.json`);
  mkdirSync(dirname(path), { recursive: true });
  writeReport(path, resultText(result));
  return { tool: tool.name, outcome: 'written', detail: `${path}, ${tally(result)}` };
}

function compare(name: string, result: ResolverResult): ToolRow {
  const [committed] = committedResults([name]);
  if (committed === undefined) {
    return { tool: name, outcome: 'differs', detail: 'no result is committed: pnpm lab resolvers' };
  }
  const changed = differences(committed, result);
  const version = committed.version === result.version ? '' : ` (${committed.version} → ${result.version})`;
  const detail = changed.length === 0 ? `${tally(result)}, as in docs/resolvers.md` : changed.join('; ');
  return { tool: name, outcome: changed.length === 0 ? 'same' : 'differs', detail: `${detail}${version}` };
}

function tally({ claims }: ResolverResult): string {
  const parts = claims.flatMap((claim) => claim.parts);
  return `${parts.filter(({ outcome }) => outcome === 'holds').length} of ${parts.length} parts hold`;
}
