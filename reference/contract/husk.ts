/**
 * What the controller, the chart's policy and the husks agree on about husk pods: labels, owners and the
 * ledger's record.
 */

export const apiGroup = 'mitos.run';
export const huskLabel = 'mitos.run/husk';
export const poolLabel = 'mitos.run/pool';
/** Carries the claim's UID, never its name: a claim that is made again inherits nothing. */
export const claimLabel = 'mitos.run/claim';
/** Keeps a claim until its husk is gone. */
export const claimFinalizer = 'mitos.run/husk';

/** A namespaced object, as owner references and status fields name it. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * One record of the ledger: a pod that the controller created itself, noted from the answer to that create.
 * It stands in the controller's namespace, where no tenant has a right, and only moves forward: warm
 * (`holder` null), then held by one holder, then gone together with its pod.
 */
export interface HuskRecord {
  readonly pod: ObjectName;
  readonly pool: ObjectName;
  /** `podSpecHash` of what the API server answered. */
  readonly specHash: string;
  /** UID of the claim, or `<UID of the fork>.<index>`; null: warm. */
  readonly holder: string | null;
  /** For optimistic locking. */
  readonly resourceVersion: string;
}
