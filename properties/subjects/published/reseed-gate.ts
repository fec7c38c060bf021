/**
 * findings.md F6, Vulnerable: "the host gate, present in all engines, believes that boolean". The published
 * fix changed the agent, not the gate. Nothing was observed about its deadline: a response that is late
 * counts as none here.
 */
import type { Bind } from '../../protocol/decision.ts';
import type { reseedGate } from '../../protocol/reseed-gate.ts';

export const bind: Bind<typeof reseedGate> = ({ deadlineMs }) => {
  return ({ response, elapsedMs }) => {
    if (response === null || elapsedMs > deadlineMs) return { verdict: 'refuse', rule: 'no response' };
    return reportsSuccess(response)
      ? { verdict: 'admit', rule: 'the agent says that it reseeded' }
      : { verdict: 'refuse', rule: 'the agent does not say that it reseeded' };
  };
};

/** A JSON reader as the engines use: what it does not know it skips, a value of another type is an error. */
export function reportsSuccess(line: string): boolean {
  try {
    const reply = JSON.parse(line) as { ok?: unknown; reseeded_rng?: unknown } | null;
    return reply?.ok === true && reply.reseeded_rng === true;
  } catch {
    return false;
  }
}
