/** What the API server makes of a patch, apart from versions: RFC 7396, main and status written apart. */
import type { Action } from '../../models/claim-world.ts';

type Patch = Extract<Action, { kind: 'patch' }>;
type JsonObject = Readonly<Record<string, unknown>>;

/** The object afterwards; null: it had been waiting for its last finalizer and is gone. */
export function patched(object: JsonObject, { patch, subresource, target }: Patch): JsonObject | null {
  if (subresource === 'status') return { ...object, status: merged(object.status, patch.status) };
  const { status, kind: _kind, metadata, ...fields } = patch;
  const withStatus = target.kind !== 'HuskRecord' && target.kind !== 'Secret';
  const main = withStatus || status === undefined ? fields : { ...fields, status };
  const before = object.metadata as JsonObject;
  const { namespace, name, uid, deletionTimestamp } = before;
  const after = {
    ...(merged(before, metadata) as JsonObject),
    namespace,
    name,
    uid,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  };
  const { finalizers } = after as { readonly finalizers?: readonly string[] };
  if (deletionTimestamp !== undefined && (finalizers ?? []).length === 0) return null;
  return { ...(merged(object, main) as JsonObject), kind: object.kind, metadata: after };
}

function merged(target: unknown, patch: unknown): unknown {
  if (patch === undefined) return target;
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
  const result: Record<string, unknown> = isObject ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}
