/** What is wrong with a request, in the words of who wrote it: the field, and what it may be. */
import type { FastifySchemaValidationError } from 'fastify';

const shownCharacters = 80;

/** @param errors of the validator, not empty */
export function bodyFault(errors: readonly FastifySchemaValidationError[], part: string): string {
  const [first] = errors;
  if (first === undefined) return `${part} is not what it should be`;
  const where = `${part}${first.instancePath}`;
  const allowed = errors.flatMap(({ keyword, params }) => (keyword === 'const' ? [params.allowedValue] : []));
  if (allowed.length > 0) return `${where} must be one of ${allowed.join(', ')}`;
  if (first.keyword !== 'additionalProperties')
    return `${where} ${first.message ?? 'is not what it should be'}`;
  const name = String(first.params.additionalProperty)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, shownCharacters);
  return `${where} has no property ${name}`;
}
