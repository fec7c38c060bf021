/**
 * AdmissionReviews as an API server sends them, made of what an author wrote, and told in a few lines.
 */
import { describeIdentity, type Identity } from './access-world.ts';

export type Spec = Readonly<Record<string, unknown>>;

export interface ClaimObject {
  readonly spec: Spec;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly object[];
  readonly status?: Readonly<Record<string, unknown>>;
  /** What metadata.namespace says when it is not the namespace of the request; null: nothing. */
  readonly namespace?: string | null;
}

export interface ClaimRequest {
  readonly operation: string;
  readonly author: Identity;
  readonly object: ClaimObject | null;
  readonly before: ClaimObject | null;
  readonly subResource?: string;
  readonly dryRun?: boolean;
  /** What differs from a request of the API server, for the reader, and how. */
  readonly envelope?: Envelope;
}

export interface Envelope {
  readonly says: string;
  readonly review?: Readonly<Record<string, unknown>>;
  readonly request?: Readonly<Record<string, unknown>>;
}

export const namespace = 'team-a';
export const claimName = 'claim';
export const controllerName = 'system:serviceaccount:mitos-system:mitos-controller';
export const stampKey = 'mitos.run/admission-stamp';
export const steeringKey = 'workspace.mitos.run/hydrate-from';
const version = 'v1alpha1';

/** Fields that are undefined in an envelope are left out. */
export function reviewOf({ operation, author, object, before, ...more }: ClaimRequest): unknown {
  const request = {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: 'mitos.run', version, kind: 'SandboxClaim' },
    resource: { group: 'mitos.run', version, resource: 'sandboxclaims' },
    ...(more.subResource === undefined ? {} : { subResource: more.subResource }),
    requestKind: { group: 'mitos.run', version, kind: 'SandboxClaim' },
    requestResource: { group: 'mitos.run', version, resource: 'sandboxclaims' },
    ...(more.subResource === undefined ? {} : { requestSubResource: more.subResource }),
    name: claimName,
    namespace,
    operation,
    userInfo: author,
    object: object === null ? null : claimJson(object),
    oldObject: before === null ? null : claimJson(before),
    dryRun: more.dryRun ?? false,
    options: null,
    ...more.envelope?.request,
  };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request, ...more.envelope?.review };
}

function claimJson(claim: ClaimObject): unknown {
  const { spec, status, namespace: own, annotations, labels, finalizers, ownerReferences } = claim;
  const metadata = {
    ...(own === null ? {} : { namespace: own ?? namespace }),
    name: claimName,
    ...(annotations === undefined ? {} : { annotations }),
    ...(labels === undefined ? {} : { labels }),
    ...(finalizers === undefined ? {} : { finalizers }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
  const kind = { apiVersion: `mitos.run/${version}`, kind: 'SandboxClaim' };
  return { ...kind, metadata, spec, ...(status === undefined ? {} : { status }) };
}

/** Several lines: who, what, and what is different in the new object. */
export function describeRequest(request: ClaimRequest): string {
  const { operation, author, object, before, subResource, dryRun, envelope } = request;
  const path = `sandboxclaims${subResource === undefined ? '' : `/${subResource}`} ${namespace}/${claimName}`;
  const lines = [`${operation} ${path}${dryRun === true ? ' (dry run)' : ''} by ${describeIdentity(author)}`];
  if (envelope !== undefined) lines.push(envelope.says);
  if (object !== null) lines.push(...describeChange(before, object));
  return lines.join('\n');
}

function describeChange(before: ClaimObject | null, after: ClaimObject): string[] {
  const shown = (value: unknown) => (value === undefined ? 'absent' : JSON.stringify(value));
  const lines: string[] = [];
  const compare = (prefix: string, was: Spec | undefined, is: Spec | undefined) => {
    for (const key of new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})])) {
      const [old, now] = [shown(was?.[key]), shown(is?.[key])];
      if (before === null) lines.push(`  ${prefix}${key}: ${now}`);
      // Of a claim that stands, its spec is shown whole, and of the rest what changes.
      else if (old !== now || prefix === 'spec.')
        lines.push(`  ${prefix}${key}: ${old === now ? `${now} (as before)` : `${old} → ${now}`}`);
    }
  };
  const { spec, annotations, labels, status, finalizers, ownerReferences, namespace: own } = after;
  if (own !== undefined) lines.push(`  metadata.namespace: ${own ?? 'absent'}`);
  compare('spec.', before?.spec, spec);
  compare('metadata.annotations ', before?.annotations, annotations);
  compare('metadata.labels ', before?.labels, labels);
  compare('status.', before?.status, status);
  const lists = (one: ClaimObject | null, finals: unknown, refs: unknown) =>
    one === null
      ? {}
      : { ...(finals ? { finalizers: finals } : {}), ...(refs ? { ownerReferences: refs } : {}) };
  const was = lists(before, before?.finalizers, before?.ownerReferences);
  compare('metadata.', was, lists(after, finalizers, ownerReferences));
  return lines;
}
