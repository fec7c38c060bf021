/**
 * docs/observed-behaviour.md: what the published fixes were seen to do, and the case that shows it on our
 * subject.
 */
import { readdir } from 'node:fs/promises';
import type { Decision } from '../protocol/decision.ts';
import type { Observed } from '../subjects/observed.ts';
import { generatedNotice, markdownTable } from './markdown.ts';

const folder = new URL('../subjects/published/', import.meta.url);

export async function observedPage(): Promise<string> {
  const parts = [
    '# Observed behaviour of the published fixes',
    generatedNotice,
    'The subject `published` is ours, written from what was observed of the fixes on real kernels, VMs and resolvers. Each row is ' +
      'one observation and a case that shows it; a test runs every row against `properties/subjects/published/`. Config fields ' +
      'not shown are the defaults of the decision’s example ([decisions.md](decisions.md)).',
  ];
  const files = (await readdir(folder)).filter((file) => file.endsWith('.observed.ts')).sort();
  for (const file of files) {
    const module = (await import(new URL(file, folder).href)) as { observed: readonly Observed<Decision>[] };
    const rows = module.observed.map(({ says, input, output }) => [
      says,
      `\`${shorten(JSON.stringify(input))}\``,
      `\`${shorten(JSON.stringify(output))}\``,
    ]);
    parts.push(
      `## ${file.replace('.observed.ts', '')}`,
      markdownTable(['observation', 'input', 'published'], rows),
    );
  }
  return `${parts.join('\n\n')}\n`;
}

const longestCell = 300;

function shorten(text: string): string {
  return text.length <= longestCell ? text : `${text.slice(0, longestCell)}…`;
}
