/** reseed-report: what the claims of F6 let a kernel answer to the agent; no corpus has this shape. */
import { generateFromClaims } from '../compared-with-reference.ts';
import { comparedBy, type Fields } from '../expectation.ts';
import type { Material } from '../material.ts';

const compared = comparedBy('reseed-report');

/** The text of an error is for people. */
function withoutWords(output: Fields): Fields {
  const { reply, ...fields } = compared(output);
  if (reply === undefined) return fields;
  const { error: _words, ...said } = reply as Fields;
  return { ...fields, reply: said };
}

export const material: Material = {
  continues: false,
  compares: 'next and reply, without the text of reply.error',
  corpus: null,
  vectors: () => [],
  generate: generateFromClaims('reseed-report', { seen: withoutWords }),
};
