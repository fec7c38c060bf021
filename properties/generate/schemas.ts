/** docs/schemas: the JSON schemas that outsiders build on. */

import { recordSchema, reportSchema } from '../matrix/record.ts';
import { answerSchema, caseSchema, headerSchema } from '../protocol/case-lines.ts';
import type { Decision } from '../protocol/decision.ts';
import { decisions } from '../protocol/decisions.ts';
import type { Product } from './product.ts';

const dialect = 'https://json-schema.org/draft/2020-12/schema';

export function schemaFiles(): Product[] {
  const file = (name: string, schema: object): Product => ({
    path: `docs/schemas/${name}.schema.json`,
    text: `${JSON.stringify({ $schema: dialect, ...schema }, null, 2)}\n`,
  });
  return [
    ...Object.values(decisions).map((decision: Decision) =>
      file(decision.name, {
        title: decision.name,
        description: decision.summary,
        type: 'object',
        properties: { config: decision.config, input: decision.input, output: decision.output },
      }),
    ),
    file('report', reportSchema),
    file('record', recordSchema),
    file('protocol-header', headerSchema),
    file('protocol-case', caseSchema),
    file('protocol-answer', answerSchema),
  ];
}
