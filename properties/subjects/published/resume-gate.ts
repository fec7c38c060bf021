/**
 * findings.md F5, Residual: "The gate is one string comparison at resume: the principal has no namespace (a
 * forged revision in another namespace with the same account name is resumed); memory captured without a
 * principal resumes for any claim without one; `create workspacerevisions` alone makes a forged revision the
 * head, with any memory reference and principal". No right is asked again, and what a capture is bound to is
 * that string; nothing was observed that refuses a capture.
 */
import type { Bind } from '../../protocol/decision.ts';
import type { resumeGate } from '../../protocol/resume-gate.ts';

export const bind: Bind<typeof resumeGate> = () => (input) => {
  if (input.operation === 'capture') return { verdict: 'capture', rule: 'of whatever the claim names' };
  const claim = specOf(input.claim, 'serviceAccount');
  const head = specOf(input.head, 'memorySnapshot', 'memorySnapshotPrincipal');
  if (claim === null || head === null) return { verdict: 'refuse', rule: 'does not decode' };
  const [memory = '', principal] = head;
  if (memory === '') return { verdict: 'refuse', rule: 'the head has no memory' };
  return claim[0] === principal
    ? { verdict: 'resume', memory, rule: 'spec.serviceAccount equals memorySnapshotPrincipal' }
    : { verdict: 'refuse', rule: 'spec.serviceAccount differs from memorySnapshotPrincipal' };
};

/**
 * Strings of a spec as a typed client decodes them: one that is absent is empty; an object that does not
 * decode (null) is never reconciled.
 */
function specOf(object: unknown, ...names: readonly string[]): readonly string[] | null {
  if (!isRecord(object)) return null;
  const spec = object.spec ?? {};
  if (!isRecord(spec)) return null;
  const values = names.map((name) => spec[name] ?? '');
  return values.every((value) => typeof value === 'string') ? values : null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
