/** Text for people: colour only on a terminal and without NO_COLOR, tables that survive a pipe. */
import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

/** Colours for one stream: none when it is no terminal, when NO_COLOR is set, or TERM is dumb. */
export function painter(stream: NodeJS.WriteStream): (style: Style, text: string) => string {
  const { NO_COLOR, TERM } = process.env;
  const plain = stream.isTTY !== true || (NO_COLOR !== undefined && NO_COLOR !== '') || TERM === 'dumb';
  return plain ? (_, text) => text : (style, text) => styleText(style, text, { validateStream: false });
}

/** Columns padded to their widest cell; `paint` colours a cell after it was padded. */
export function table(
  rows: readonly (readonly string[])[],
  paint: (text: string, row: number, column: number) => string = (text) => text,
): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, text] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, text.length);
  }
  return rows
    .map((row, index) =>
      row
        .map((text, column) => {
          const last = column === row.length - 1;
          return paint(last ? text : text.padEnd(widths[column] ?? 0), index, column);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `1 claim`, `19 claims`. */
export function counted(count: number, noun: string): string {
  return `${groupDigits(count)} ${noun}${count === 1 ? '' : 's'}`;
}

export function groupDigits(value: number): string {
  return value.toLocaleString('en-US');
}
