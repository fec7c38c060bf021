/** The actions of claim-step as rows of a sequence table: who, write or call, precondition, result. */
import type { Action, Outcome, Owner, Step } from './claim-world.ts';

/** One row of the sequence table. */
export function rowOf({ who, what, precondition, result }: Step): string {
  const guarded = precondition === '' ? '' : `  [if ${precondition}]`;
  return `${who.padEnd(6)}  ${what}${guarded}${result === '' ? '' : `  → ${result}`}`;
}

export function resultOf(outcome: Outcome | null | 'hangs'): string {
  if (outcome === null) return '';
  if (outcome === 'hangs') return 'no answer, waited for without end';
  return outcome.of === 'dial' && outcome.holds !== null
    ? `${outcome.result}, holds ${outcome.holds}`
    : outcome.result;
}

/** An action as a row of the sequence table: what, under which precondition. */
export function described(owner: Owner, action: Action): { what: string; precondition: string } {
  const whose = `${owner.kind === 'SandboxFork' ? 'fork' : 'claim'} ${owner.name} (${owner.uid})`;
  switch (action.kind) {
    case 'patch':
    case 'delete': {
      const { uid, resourceVersion } = action.precondition;
      const parts = [
        uid === undefined ? [] : [uid],
        resourceVersion === undefined ? [] : [`rv ${resourceVersion}`],
      ];
      const { kind, name } = action.target;
      return {
        what: `${whose}: ${action.purpose} ${kind} ${name}${action.kind === 'patch' ? ` ${JSON.stringify(action.patch)}` : ''}`,
        precondition: parts.flat().join(', ') || 'none',
      };
    }
    case 'create':
      return { what: `${whose}: ${action.purpose} create`, precondition: 'none' };
    case 'dial':
    case 'deliver':
    case 'dehydrate':
    case 'snapshot':
      return {
        what: `${whose}: ${action.kind} ${action.address}`,
        precondition: action.identity === null ? 'none' : `is ${action.identity.podUid}`,
      };
    default:
      return { what: `${whose}: ${action.kind}`, precondition: '' };
  }
}
