/** How the published controller reads pods: by their labels, their names and what their status says. */
import type { OutputOf } from '../../protocol/decision.ts';
import type { selectHusk } from '../../protocol/select-husk.ts';

export type SelectHuskOutput = OutputOf<typeof selectHusk>;

/** What its typed client decodes; an object that does not decode is as if it were empty. */
export interface PodObject {
  readonly metadata?: {
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>> | null;
    readonly deletionTimestamp?: string | null;
    readonly ownerReferences?:
      | readonly {
          readonly kind?: string;
          readonly name?: string;
          readonly uid?: string;
          readonly controller?: boolean;
          readonly blockOwnerDeletion?: boolean;
        }[]
      | null;
  } | null;
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type?: string; readonly status?: string }[] | null;
  } | null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function podObject(value: unknown): PodObject {
  if (!isRecord(value)) return {};
  const decodes =
    [value.metadata, value.status].every((part) => part === undefined || part === null || isRecord(part)) &&
    [value.metadata, value.status].every((part) => !isRecord(part) || listsDecode(part));
  return decodes ? (value as PodObject) : {};
}

function listsDecode(part: Record<string, unknown>): boolean {
  const lists = [part.ownerReferences, part.conditions];
  const strings = [part.namespace, part.name, part.uid, part.resourceVersion, part.phase, part.podIP];
  const { labels } = part;
  return (
    lists.every(
      (list) => list === undefined || list === null || (Array.isArray(list) && list.every(isRecord)),
    ) &&
    strings.every((text) => text === undefined || typeof text === 'string') &&
    (labels === undefined || labels === null || isRecord(labels))
  );
}

export function labelsOf(pod: PodObject): Readonly<Record<string, string | undefined>> {
  return pod.metadata?.labels ?? {};
}

export function isRunning({ metadata, status }: PodObject): boolean {
  return (
    status?.phase === 'Running' &&
    (metadata?.deletionTimestamp ?? null) === null &&
    (status.podIP ?? '') !== ''
  );
}

export function firstCondition({ status }: PodObject, type: string) {
  return (status?.conditions ?? []).find((condition) => condition.type === type);
}

export function lowestName(pods: readonly PodObject[]): PodObject | undefined {
  return [...pods].sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1))[0];
}

export function reach(pod: PodObject | undefined, rule: string): SelectHuskOutput {
  const { namespace = '', name = '', uid = '', resourceVersion = '' } = pod?.metadata ?? {};
  const address = pod?.status?.podIP ?? '';
  if (pod === undefined || name === '' || address === '') {
    return { verdict: 'refuse', pod: null, refusals: [], rule: 'no such pod' };
  }
  return { verdict: 'select', pod: { namespace, name, uid, resourceVersion, address }, refusals: [], rule };
}
