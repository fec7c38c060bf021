/**
 * Claims and forks as they are read: what tenants may write is read as strangers' JSON, a status that is no
 * status is an empty one.
 */
import { claimFinalizer, type ObjectName } from '#reference/contract/husk.ts';
import { fieldOf, listOf, textOf } from '../json-values.ts';

export type Phase = 'Pending' | 'Restoring' | 'Ready' | 'Failed';

/** One husk for one holder: a claim has one seat, a fork one for each child. */
export interface Seat {
  readonly holder: string;
  readonly phase: Phase;
  readonly husk: { readonly pod: ObjectName; readonly attempt: number; readonly by: string } | null;
  /** Intents and pods given up so far. */
  readonly attempts: number;
  /** UIDs of pods that were given up for this holder: never reached again, to be deleted. */
  readonly spent: readonly string[];
  readonly token: { readonly name: string; readonly uid: string } | null;
}

export interface OwnerView {
  readonly resourceVersion: string;
  readonly deleting: boolean;
  readonly finalizers: readonly string[];
  readonly finalized: boolean;
  /** null: unreadable. */
  readonly createdMs: number | null;
  readonly spec: unknown;
  readonly status: unknown;
}

/** null when the object is not the one with that UID. */
export function ownerView(object: unknown, uid: string): OwnerView | null {
  const metadata = fieldOf(object, 'metadata');
  const resourceVersion = textOf(fieldOf(metadata, 'resourceVersion'));
  if (fieldOf(metadata, 'uid') !== uid || resourceVersion === null) return null;
  const finalizers = listOf(fieldOf(metadata, 'finalizers')).filter((one) => typeof one === 'string');
  const created = Date.parse(textOf(fieldOf(metadata, 'creationTimestamp')) ?? '');
  return {
    resourceVersion,
    deleting: textOf(fieldOf(metadata, 'deletionTimestamp')) !== null,
    finalizers,
    finalized: finalizers.includes(claimFinalizer),
    createdMs: Number.isNaN(created) ? null : created,
    spec: fieldOf(object, 'spec'),
    status: fieldOf(object, 'status'),
  };
}

const phases: readonly unknown[] = ['Pending', 'Restoring', 'Ready', 'Failed'];

/** Terminating and Terminated are the owner's, not the seat's. */
export function seatOf(holder: string, status: unknown): Seat {
  const phase = fieldOf(status, 'phase');
  const husk = fieldOf(status, 'husk');
  const pod = objectNameOf(fieldOf(husk, 'pod'));
  const by = textOf(fieldOf(husk, 'by'));
  const attempt = countOf(fieldOf(husk, 'attempt'));
  const token = fieldOf(status, 'token');
  const [name, uid] = [textOf(fieldOf(token, 'name')), textOf(fieldOf(token, 'uid'))];
  return {
    holder,
    phase: phases.includes(phase) ? (phase as Phase) : 'Pending',
    husk: pod === null || by === null ? null : { pod, attempt, by },
    attempts: countOf(fieldOf(status, 'attempts')),
    spent: listOf(fieldOf(status, 'spent')).filter((one) => typeof one === 'string'),
    token: name === null || uid === null ? null : { name, uid },
  };
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

export function objectNameOf(value: unknown): ObjectName | null {
  const [namespace, name, uid] = ['namespace', 'name', 'uid'].map((field) => textOf(fieldOf(value, field)));
  if (namespace == null || name == null || uid == null) return null;
  return { namespace, name, uid };
}
