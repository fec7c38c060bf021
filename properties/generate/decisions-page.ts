/**
 * docs/decisions.md: what a subject can implement, with schemas, equality rule and an example a line each.
 */

import { protocolVersion } from '../protocol/case-lines.ts';
import type { Decision } from '../protocol/decision.ts';
import { type DecisionName, decisions } from '../protocol/decisions.ts';
import { checkableDecisions, loadMaterial, notCheckable } from '../subjects/external/material.ts';
import { generatedNotice } from './markdown.ts';

export async function decisionsPage(): Promise<string> {
  const parts = [
    '# Decisions',
    generatedNotice,
    'What a subject can implement, in any language: see [subject-protocol.md](subject-protocol.md). Two outputs are the same ' +
      'decision when the fields named under *compared* are equal as JSON; the others inform.',
    ...(await Promise.all(Object.values(decisions).map((decision: Decision) => section(decision)))),
  ];
  return `${parts.join('\n\n')}\n`;
}

async function section(decision: Decision): Promise<string> {
  const { name, summary, equality, example } = decision;
  const header = JSON.stringify({ v: protocolVersion, decision: name, config: example.config });
  const first = JSON.stringify({ id: 1, input: example.input });
  return [
    `## ${name}`,
    `${summary} Compared: ${equality.map((field) => `\`${field}\``).join(', ')}. Schema: [${name}.schema.json](schemas/${name}.schema.json).`,
    `\`\`\`json\n${header}\n${first}\n\`\`\``,
    await checkOf(decision.name as DecisionName),
  ].join('\n\n');
}

/** How a program is held to it. */
async function checkOf(name: DecisionName): Promise<string> {
  if (!checkableDecisions.includes(name)) return `No program can be checked: ${notCheckable[name]}.`;
  const { compares, corpus } = await loadMaterial(name);
  const vectors = `the vectors of [${corpus}.json](../properties/vectors/${corpus}.json), then `;
  const held = `${corpus === null ? '' : vectors}generated inputs`;
  const how = compares === undefined ? '' : ` Compared there: ${compares}.`;
  return `\`pnpm check decision ${name} -- ./your-program\`: ${held}.${how}`;
}
