/** What claim-step is told of its action before: done, refused, or nobody knows. */
import type { Result } from './api-server.ts';
import type { Action, Outcome } from './claim-world.ts';

/** The answer of the API server, as claim-step is told. */
export function written(purpose: string, uid: string | null, result: Result): Outcome {
  if (result.ok) {
    const { name, uid: made } = result.object.metadata;
    return { of: 'write', purpose, result: 'done', uid, created: { name, uid: made } };
  }
  const results = {
    Conflict: 'conflict',
    NotFound: 'not-found',
    AlreadyExists: 'exists',
    Invalid: 'invalid',
  } as const;
  return { of: 'write', purpose, result: results[result.reason], uid, created: null };
}

/** No answer came in time. */
export function unknownOutcome(action: Action): Outcome | null {
  switch (action.kind) {
    case 'patch':
    case 'delete':
      return {
        of: 'write',
        purpose: action.purpose,
        result: 'unknown',
        uid: action.precondition.uid ?? null,
        created: null,
      };
    case 'create':
      return { of: 'write', purpose: action.purpose, result: 'unknown', uid: null, created: null };
    case 'dial':
      return { of: 'dial', podUid: action.pod.uid, result: 'unknown', holds: null };
    case 'deliver':
    case 'dehydrate':
    case 'snapshot':
      return { of: action.kind, podUid: action.pod.uid, result: 'unknown', digest: null };
    default:
      return null;
  }
}
