/**
 * What must never happen (findings.md F3): of one action when it arrives, and of every state.
 */
import type { Violation } from '../../oracles/violation.ts';
import type { Facts } from './facts.ts';
import { absent, type Layout, unborn } from './layout.ts';
import { claimUid, podUid } from './names.ts';

function violation(observed: string, required: string, requiredRule: string): Violation {
  return { observed, required, requiredRule };
}

const stands = (content: number): boolean => content !== absent && content !== unborn;

/** A record that named one claim names another, or none. */
export function reassigned(pod: number, before: number, after: number): Violation | null {
  if (before < 0 || before === after) return null;
  return violation(
    `husk-${pod}, held for claim-${before}, is ${after < 0 ? 'warm again' : `marked for claim-${after}`}`,
    'a pod serves one claim, ever',
    'findings.md F3: one pod, one claim, for every interleaving',
  );
}

/** A call reaches a pod: it is of the controller's own making, and the intent for it stood before. */
export function sends(
  state: Uint16Array,
  claim: number,
  pod: number,
  hostile: boolean,
  delivers: boolean,
  layout: Layout,
  facts: Facts,
): Violation | null {
  const what = delivers ? 'the secrets' : 'a dial';
  if (hostile) {
    return violation(
      `${what} of claim-${claim} reach the pod that a tenant made under the name husk-${pod}`,
      'only pods that the controller created itself',
      'findings.md F3: a planted pod gets nothing',
    );
  }
  const { intended } = facts.husk(state[layout.husk(pod)] as number);
  if (intended.includes(claim)) return null;
  return violation(
    `${what} of claim-${claim} reach husk-${pod}, which no status of it ever named`,
    'the intent stands in the status before the first dial',
    'findings.md F3: "the intent (pod UID) is durable in the claim’s status before the first dial"',
  );
}

/** A controller deletes the pod of that UID for a claim. */
export function removes(
  state: Uint16Array,
  claim: number,
  pod: number,
  uid: string,
  layout: Layout,
  facts: Facts,
): Violation | null {
  if (uid !== podUid(pod) || facts.husk(state[layout.husk(pod)] as number).held !== claim) {
    return violation(
      `for claim-${claim} the pod ${uid} is deleted, which was never held for it`,
      'only what it owns, by UID',
      'findings.md F3: "deleting a claim deletes any pod labelled with its name"',
    );
  }
  for (let index = 0; index < layout.claims; index++) {
    const content = state[layout.claim(index)] as number;
    if (!stands(content)) continue;
    const { servedBy, deleting } = facts.claim(content);
    if (servedBy !== pod || deleting) continue;
    return violation(
      `claim-${index} is Ready on husk-${pod}, and the pod is deleted`,
      'a stale view frees nothing',
      'findings.md F3: nothing that one process believes frees a pod in use',
    );
  }
  return null;
}

/** A controller deletes a record of the ledger for a claim. */
export function forgets(
  state: Uint16Array,
  claim: number,
  pod: number,
  layout: Layout,
  facts: Facts,
): Violation | null {
  const { held, alive } = facts.husk(state[layout.husk(pod)] as number);
  if (held !== claim) {
    return violation(
      `for claim-${claim} the record of husk-${pod} is deleted, which was never held for it`,
      'only what it owns, by UID',
      'findings.md F3: tenant-side objects are reached by UID and owner',
    );
  }
  if (!alive) return null;
  return violation(
    `the record of husk-${pod} is deleted while the husk lives`,
    'no crash leaves a pod that no record names',
    'findings.md F3: nothing is left over',
  );
}

/**
 * A claim's last finalizer is gone, and the claim with it. A husk that has seen nothing may be marked for it even
 * so: by a write that was on its way when the other controller looked for the last time. Nothing is ever sent
 * there, and who works for the holder that the ledger names reaps it (`settling.ts`).
 */
export function forgotten(state: Uint16Array, claim: number, layout: Layout, facts: Facts): Violation | null {
  for (let pod = 0; pod < layout.pods; pod++) {
    const { alive, seen, holds } = facts.husk(state[layout.husk(pod)] as number);
    if (!alive || (!seen.includes(claim) && holds !== claim)) continue;
    return violation(
      `claim-${claim} is let go while husk-${pod} still has its secrets`,
      'the finalizer goes when nothing is held any more',
      'findings.md F3: a pod that saw a secret is deleted, never released',
    );
  }
  return null;
}

/** What must be true of every state. */
export function broken(
  state: Uint16Array,
  layout: Layout,
  facts: Facts,
  sent: (past: number) => number,
  maxAttempts: number,
): Violation | null {
  for (let pod = 0; pod < layout.pods; pod++) {
    const { seen } = facts.husk(state[layout.husk(pod)] as number);
    if (seen.length === 0) continue;
    if (seen.length > 1) {
      return violation(
        `husk-${pod} was handed the secrets of ${seen.map((claim) => `claim-${claim}`).join(' and ')}`,
        'a pod serves one claim, ever',
        'findings.md F3: one pod, one claim, for every interleaving',
      );
    }
    const record = state[layout.record(pod)] as number;
    if (record === absent || facts.holder(record) === seen[0]) continue;
    return violation(
      `husk-${pod} saw the secrets of claim-${seen[0]}, and its record does not say so`,
      'a pod that saw a secret is never reused',
      'findings.md F3: a pod that saw a secret is deleted, never released',
    );
  }
  for (let claim = 0; claim < layout.claims; claim++) {
    const found =
      brokenClaim(state, claim, layout, facts) ?? overCap(state, claim, layout, sent, maxAttempts);
    if (found !== null) return found;
  }
  return null;
}

function overCap(
  state: Uint16Array,
  claim: number,
  layout: Layout,
  sent: (past: number) => number,
  maxAttempts: number,
): Violation | null {
  const times = sent(state[layout.past(claim)] as number);
  if (times <= maxAttempts) return null;
  return violation(
    `the secrets of claim-${claim} were sent ${times} times`,
    `at most ${maxAttempts} times`,
    'findings.md F3: deliveries are capped',
  );
}

function brokenClaim(state: Uint16Array, claim: number, layout: Layout, facts: Facts): Violation | null {
  let seenBy = -1;
  for (let pod = 0; pod < layout.pods; pod++) {
    if (!facts.husk(state[layout.husk(pod)] as number).seen.includes(claim)) continue;
    if (seenBy >= 0) {
      return violation(
        `the secrets of claim-${claim} reached husk-${seenBy} and husk-${pod}`,
        'at most one pod',
        'findings.md F3: at most one pod, whatever crashes',
      );
    }
    seenBy = pod;
  }
  const content = state[layout.claim(claim)] as number;
  if (!stands(content)) return null;
  const { phase, servedBy } = facts.claim(content);
  if (phase !== 'Ready') return null;
  const holds = servedBy < 0 ? -1 : facts.husk(state[layout.husk(servedBy)] as number).holds;
  if (holds === claim) return null;
  return violation(
    `${claimUid(claim)} is Ready on ${servedBy < 0 ? 'no husk' : `husk-${servedBy}`}, which was not activated for it`,
    'a pod that was activated for it',
    'findings.md F3: one claim (by UID), one pod',
  );
}
