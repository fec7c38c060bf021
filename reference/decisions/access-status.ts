/** What the status of a SubjectAccessReview (authorization.k8s.io/v1) proves. */
import { fieldOf, isObject } from './json-values.ts';

/**
 * Only `allowed: true` without any sign of doubt is a yes: beside `denied` or an evaluation error it proves
 * nothing.
 */
export function readAccessStatus(status: unknown): 'allowed' | 'not allowed' | 'ambiguous' {
  const denied = fieldOf(status, 'denied');
  const doubt = fieldOf(status, 'evaluationError');
  const plain = (denied ?? false) === false && (doubt ?? '') === '';
  if (!isObject(status) || !plain) return 'ambiguous';
  return fieldOf(status, 'allowed') === true ? 'allowed' : 'not allowed';
}
