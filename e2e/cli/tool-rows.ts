/** What `lab rulesets` and `lab resolvers` have in common: tools nobody here wrote, one after the other, a row for each. */
import { CodedError } from '#reference/base/coded-error.ts';
import { painter, table } from '../report/terminal.ts';
import { exitCodes } from './exit-codes.ts';

export interface ToolRow {
  readonly tool: string;
  readonly outcome: 'written' | 'same' | 'differs' | 'skipped' | 'failed';
  readonly detail: string;
}

/** All when none is named. @throws CodedError `unknown-tool` */
export function chosenTools<T extends { readonly name: string }>(
  what: string,
  tools: readonly T[],
  names: readonly string[],
): readonly T[] {
  if (names.length === 0) return tools;
  return names.map((name) => {
    const found = tools.find((tool) => tool.name === name);
    if (found !== undefined) return found;
    const valid = tools.map((tool) => tool.name).join(', ');
    throw new CodedError('unknown-tool', `there is no ${what} ${name}`, `valid: ${valid}`);
  });
}

/** Runs and prints them; the exit code: 1 when one failed or differs, 3 when none is here. */
export async function runTools<T extends { readonly name: string }>(
  what: string,
  chosen: readonly T[],
  one: (tool: T) => Promise<ToolRow>,
): Promise<number> {
  const rows: ToolRow[] = [];
  for (const tool of chosen) {
    process.stderr.write(`${tool.name} …\n`);
    rows.push(await one(tool));
  }
  const paint = painter(process.stdout);
  const text = table(
    [[what, 'outcome', ''], ...rows.map((row) => [row.tool, row.outcome, row.detail])],
    (cell, row) => (row === 0 ? paint('bold', cell) : cell),
  );
  process.stdout.write(`${text}\n`);
  if (rows.some(({ outcome }) => outcome === 'failed' || outcome === 'differs')) return exitCodes.differs;
  return rows.every(({ outcome }) => outcome === 'skipped') ? exitCodes.incomplete : exitCodes.asDeclared;
}
