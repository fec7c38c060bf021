/** `pnpm lab rulesets`: captures what tools nobody here wrote install, or compares it with what is committed. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { capture } from '#kvm-lab/rulesets/capture.ts';
import type { RulesetTool } from '#kvm-lab/rulesets/ruleset-tool.ts';
import { tools } from '#kvm-lab/rulesets/tools.ts';
import { checkClaims } from '../blackbox/nft/claims-of-ruleset.ts';
import { capturePath, committedTools } from '../blackbox/nft/committed-captures.ts';
import { readSubject } from '../blackbox/nft/subject.ts';
import { writeReport } from '../report/write-report.ts';
import { chosenTools, runTools, type ToolRow } from './tool-rows.ts';

export interface RulesetsFlags {
  readonly out?: string;
  readonly check?: true;
}

export function addRulesetsOptions(command: Command): Command {
  return command
    .argument('[tools...]', `${tools.map(({ name }) => name).join(', ')} (default: all)`)
    .option('--out <folder>', 'where to write the captures (default: properties/vectors/rulesets)')
    .option('--check', 'write nothing: capture, judge, and compare with what is committed')
    .addHelpText(
      'after',
      `
Each tool runs for real, in network, mount and process namespaces of its own: the machine's network, tables and files
stay as they are. Wants root. A tool that is not installed is skipped, with the command that adds it.

Examples:
  pnpm lab rulesets --check
  pnpm lab rulesets libvirt --out captures

Exit codes: 0 captured (and as committed), 1 a tool failed or differs, 2 bad input, 3 no tool is here`,
    );
}

export async function rulesetsCommand(names: readonly string[], flags: RulesetsFlags): Promise<number> {
  return runTools('tool', chosenTools('tool', tools, names), (tool) => one(tool, flags));
}

async function one(tool: RulesetTool, flags: RulesetsFlags): Promise<ToolRow> {
  const captured = await capture(tool);
  if (captured.outcome !== 'captured') {
    const outcome = captured.outcome === 'failed' ? 'failed' : 'skipped';
    return { tool: tool.name, outcome, detail: `${captured.reason}; ${captured.remedy}` };
  }
  if (flags.check === true) return await compare(tool.name, captured.text);
  const path = flags.out === undefined ? capturePath(tool.name) : join(flags.out, `${tool.name}.json`);
  if (flags.out !== undefined) mkdirSync(flags.out, { recursive: true });
  writeReport(path, captured.text);
  return { tool: tool.name, outcome: 'written', detail: path };
}

/** Addresses of devices and handles differ from run to run; what is decided of each part must not. */
async function compare(name: string, text: string): Promise<ToolRow> {
  if (!committedTools().includes(name)) {
    return { tool: name, outcome: 'differs', detail: 'no capture is committed: pnpm lab rulesets' };
  }
  const folder = makeLabFolder('rulesets');
  try {
    const path = join(folder, `${name}.json`);
    writeReport(path, text);
    const [before, now] = [await outcomes(capturePath(name)), await outcomes(path)];
    const changed = [...new Set([...before.keys(), ...now.keys()])].filter(
      (part) => before.get(part) !== now.get(part),
    );
    const words = changed.map((part) => `${part}: ${before.get(part)} → ${now.get(part)}`).join('; ');
    const detail = words === '' ? `${now.size} parts decided as in docs/rulesets.md` : words;
    return { tool: name, outcome: words === '' ? 'same' : 'differs', detail };
  } finally {
    removeLabFolder(folder);
  }
}

async function outcomes(ruleset: string): Promise<Map<string, string>> {
  const { claims } = checkClaims(await readSubject({ ruleset }));
  return new Map(
    claims.flatMap(({ claim, parts }) => parts.map(({ name, outcome }) => [`${claim} ${name}`, outcome])),
  );
}
