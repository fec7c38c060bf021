/** The hash that ties an admission stamp to what was checked. */
import { hash } from 'node:crypto';
import { canonicalText, isObject } from './json-values.ts';

/** SHA-256 of the canonical JSON, lower-case hex; null when it is no object, or nested too deeply. */
export function specHashOf(spec: unknown): string | null {
  const text = isObject(spec) ? canonicalText(spec) : null;
  return text === null ? null : hash('sha256', text);
}
