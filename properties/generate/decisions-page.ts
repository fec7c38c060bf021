/**
 * docs/decisions.md: what a subject can implement, with schemas, equality rule and an example a line each.
 */

import { protocolVersion } from '../protocol/case-lines.ts';
import type { Decision } from '../protocol/decision.ts';
import { decisions } from '../protocol/decisions.ts';
import { generatedNotice } from './markdown.ts';

export function decisionsPage(): string {
  const parts = [
    '# Decisions',
    generatedNotice,
    'What a subject can implement, in any language: see [subject-protocol.md](subject-protocol.md). Two outputs are the same ' +
      'decision when the fields named under *compared* are equal as JSON; the others inform.',
    ...Object.values(decisions).map((decision: Decision) => section(decision)),
  ];
  return `${parts.join('\n\n')}\n`;
}

function section(decision: Decision): string {
  const { name, summary, equality, example } = decision;
  const header = JSON.stringify({ v: protocolVersion, decision: name, config: example.config });
  const first = JSON.stringify({ id: 1, input: example.input });
  return [
    `## ${name}`,
    `${summary} Compared: ${equality.map((field) => `\`${field}\``).join(', ')}. Schema: [${name}.schema.json](schemas/${name}.schema.json).`,
    `\`\`\`json\n${header}\n${first}\n\`\`\``,
  ].join('\n\n');
}
