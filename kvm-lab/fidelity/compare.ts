/** The kernel's trace of a packet beside the evaluator's, in the same words. */
import type { Step } from '#properties/oracles/nft/evaluate/chain.ts';
import type { TraceEvent } from '../providers/netns/trace-listener.ts';

/** `table chain rule-or-policy verdict`, a line each. */
export function linesOfTrace(events: readonly TraceEvent[]): string[] {
  return events
    .filter(({ type, handle }) => type === 'policy' || handle > 0)
    .map(({ type, table, chain, handle, verdict, target }) =>
      line(table, chain, type === 'policy' ? 'policy' : `rule ${handle}`, verdict, target),
    );
}

export function linesOfSteps(steps: readonly Step[]): string[] {
  return steps.map(({ table, chain, rule, verdict }) =>
    line(
      table.name,
      chain,
      rule === null ? 'policy' : `rule ${rule.handle}`,
      verdict.code,
      'chain' in verdict ? verdict.chain : '',
    ),
  );
}

function line(table: string, chain: string, place: string, code: string, target: string): string {
  return `${table} ${chain} ${place} ${code}${target === '' ? '' : ` ${target}`}`;
}

export function sameLines(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
