/** The actions of claim-step as rows of a sequence table: who, write or call, precondition, result. */
import type { Action, Outcome, Owner, Step } from './claim-world.ts';

/** Longest cell of the table: what a write says is cut, who did what is not. */
const widest = 96;
/** Longest run of steps that is looked for as a repetition. */
const longestPeriod = 3;

/** The sequence table, aligned: who, write or call, precondition, result. Repetitions are counted, not shown. */
export function sequenceTable(steps: readonly Step[]): string[] {
  const rows = foldRepetitions(
    steps.map(({ who, what, precondition, result }) => [who, what, precondition, result]),
  );
  const head = ['who', 'write or call', 'if', 'result'];
  const table = [head, ...rows].map((row) => row.map((cell) => cut(cell)));
  const widths = head.map((_, column) =>
    Math.max(...table.map((row) => (row.length === 1 ? 0 : (row[column] ?? '').length))),
  );
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function cut(cell: string): string {
  return cell.length <= widest ? cell : `${cell.slice(0, widest - 1)}…`;
}

/** The same steps over and over, numbers aside, are told once. */
function foldRepetitions(rows: readonly (readonly string[])[]): (readonly string[])[] {
  const shapes = rows.map((row) => row.join('|').replace(/\d+/g, '#'));
  const folded: (readonly string[])[] = [];
  for (let at = 0; at < rows.length; ) {
    const { period, times } = repetitionAt(shapes, at);
    folded.push(...rows.slice(at, at + period));
    if (times > 1) folded.push([`… ${times - 1} more times`]);
    at += period * times;
  }
  return folded;
}

/** The repetition that covers most, of three times or more. */
function repetitionAt(shapes: readonly string[], at: number): { period: number; times: number } {
  let best = { period: 1, times: 1 };
  for (let period = 1; period <= longestPeriod; period++) {
    let length = period;
    while (at + length < shapes.length && shapes[at + length] === shapes[at + length - period]) length += 1;
    const times = Math.floor(length / period);
    if (times >= 3 && times * period > best.times * best.period) best = { period, times };
  }
  return best;
}

export function resultOf(outcome: Outcome | null | 'hangs'): string {
  if (outcome === null) return '';
  if (outcome === 'hangs') return 'no answer, waited for without end';
  return outcome.of === 'dial' && outcome.holds !== null
    ? `${outcome.result}, holds ${outcome.holds}`
    : outcome.result;
}

/** A patch by its leaves: `phase=Ready, sandboxID=uid-1`. */
function leaves(value: unknown, name = ''): string {
  if (typeof value !== 'object' || value === null) return `${name}=${String(value)}`;
  if (Array.isArray(value))
    return `${name}=[${value.map((one) => (typeof one === 'object' ? leaves(one) : one))}]`;
  return Object.entries(value)
    .map(([key, inner]) => leaves(inner, key))
    .join(', ');
}

/** An action as a row of the sequence table: what, under which precondition. */
export function described(owner: Owner, action: Action): { what: string; precondition: string } {
  const whose = `${owner.name} (${owner.uid})`;
  switch (action.kind) {
    case 'patch':
    case 'delete': {
      const { uid, resourceVersion } = action.precondition;
      const parts = [
        uid === undefined ? [] : [uid],
        resourceVersion === undefined ? [] : [`rv ${resourceVersion}`],
      ];
      const { kind, name } = action.target;
      return {
        what: `${whose}: ${action.purpose} ${kind} ${name}${action.kind === 'patch' ? `: ${leaves(action.patch)}` : ''}`,
        precondition: parts.flat().join(', ') || 'none',
      };
    }
    case 'create':
      return { what: `${whose}: ${action.purpose} create`, precondition: 'none' };
    case 'dial':
    case 'deliver':
    case 'dehydrate':
    case 'snapshot':
      return {
        what: `${whose}: ${action.kind} ${action.address}`,
        precondition: action.identity === null ? 'none' : `is ${action.identity.podUid}`,
      };
    default:
      return { what: `${whose}: ${action.kind}`, precondition: '' };
  }
}
