/** The captured rulesets that are committed, in the order of the tools that made them. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tools } from '#kvm-lab/rulesets/tools.ts';

const folder = new URL('../../../properties/vectors/rulesets/', import.meta.url);

export function capturePath(tool: string): string {
  return fileURLToPath(new URL(`${tool}.json`, folder));
}

export function committedTools(): string[] {
  return tools.map(({ name }) => name).filter((name) => existsSync(capturePath(name)));
}
