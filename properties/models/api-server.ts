/**
 * A model of the API server's storage: optimistic locking, preconditions, generated names, status as a
 * subresource, finalizers, watches, and the garbage collector. `api-server-contract.ts` says what it must
 * do; the same contract is run against the real one.
 */

export interface ObjectMeta {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ApiObject {
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface NewObject {
  readonly kind: string;
  readonly metadata: {
    readonly namespace: string;
    readonly name?: string;
    readonly generateName?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
    readonly ownerReferences?: readonly OwnerReference[];
  };
  readonly [field: string]: unknown;
}

export interface ObjectRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export type JsonPatch = Readonly<Record<string, unknown>>;

/** As the API server's Status.reason. */
export type FailureReason = 'NotFound' | 'AlreadyExists' | 'Conflict' | 'Invalid';

export type Result =
  | { readonly ok: true; readonly object: ApiObject }
  | { readonly ok: false; readonly reason: FailureReason; readonly message: string };

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: ApiObject;
}

/** The port: the model here, the real API server at its own tier. */
export interface ApiServer {
  create(object: NewObject): Result;
  read(ref: ObjectRef): Result;
  list(kind: string): { readonly items: readonly ApiObject[]; readonly resourceVersion: string };
  /** RFC 7396 merge patch; a `resourceVersion` makes it conditional, without one the last writer wins. */
  patch(
    ref: ObjectRef,
    patch: JsonPatch,
    options?: Preconditions & { readonly subresource?: 'status' },
  ): Result;
  remove(ref: ObjectRef, preconditions?: Preconditions): Result;
  /** Everything after that resourceVersion, in order. */
  watch(resourceVersion: string): readonly WatchEvent[];
}

/** Kinds whose status is written through the subresource alone. */
const withStatus = new Set(['Pod', 'SandboxClaim', 'SandboxFork', 'SandboxPool']);

export class ApiServerModel implements ApiServer {
  readonly #objects = new Map<string, ApiObject>();
  readonly #events: { readonly version: number; readonly event: WatchEvent }[] = [];
  readonly #clock: () => string;
  #version = 0;
  #uids = 0;
  #suffixes = 0;

  /** `clock` gives RFC 3339 text. */
  constructor(clock: () => string = () => '2026-11-24T00:00:00Z') {
    this.#clock = clock;
  }

  create(object: NewObject): Result {
    const { namespace, name: asked, generateName, ...metadata } = object.metadata;
    if (asked === undefined && generateName === undefined) return failure('Invalid', 'name or generateName');
    const name = asked ?? `${generateName}${(++this.#suffixes).toString(36).padStart(5, 'x')}`;
    const key = keyOf({ kind: object.kind, namespace, name });
    if (this.#objects.has(key)) return failure('AlreadyExists', `${key} already exists`);
    const { status, ...rest } = object;
    const stored = withStatus.has(object.kind)
      ? rest
      : { ...rest, ...(status === undefined ? {} : { status }) };
    const uid = `uid-${++this.#uids}`;
    return this.#store(key, {
      ...stored,
      kind: object.kind,
      metadata: { ...metadata, namespace, name, uid, resourceVersion: '', creationTimestamp: this.#clock() },
    });
  }

  read(ref: ObjectRef): Result {
    const object = this.#objects.get(keyOf(ref));
    return object === undefined ? failure('NotFound', `${keyOf(ref)} not found`) : { ok: true, object };
  }

  list(kind: string) {
    const items = [...this.#objects.values()].filter((object) => object.kind === kind);
    return { items, resourceVersion: String(this.#version) };
  }

  patch(
    ref: ObjectRef,
    patch: JsonPatch,
    { subresource, ...preconditions }: Preconditions & { readonly subresource?: 'status' } = {},
  ): Result {
    const found = this.read(ref);
    if (!found.ok) return found;
    const { object } = found;
    // A UID in a patch of /status is ignored by the real one; only the resourceVersion guards it.
    const guards = subresource === 'status' ? { ...preconditions, uid: object.metadata.uid } : preconditions;
    const conflict = conflictOf(object, guards);
    if (conflict !== null) return conflict;
    const next = merged(object, patch, subresource);
    if (object.kind === 'Secret' && object.immutable === true && next.data !== object.data) {
      return failure('Invalid', 'data: field is immutable when `immutable` is set');
    }
    if (JSON.stringify(next) === JSON.stringify(object)) return { ok: true, object };
    if (next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0) {
      return this.#drop(next);
    }
    return this.#store(keyOf(ref), next);
  }

  remove(ref: ObjectRef, preconditions: Preconditions = {}): Result {
    const found = this.read(ref);
    if (!found.ok) return found;
    const conflict = conflictOf(found.object, preconditions);
    if (conflict !== null) return conflict;
    const { object } = found;
    if ((object.metadata.finalizers ?? []).length === 0) return this.#drop(object);
    if (object.metadata.deletionTimestamp !== undefined) return found;
    const metadata = { ...object.metadata, deletionTimestamp: this.#clock() };
    return this.#store(keyOf(ref), { ...object, metadata });
  }

  watch(resourceVersion: string): readonly WatchEvent[] {
    const since = Number(resourceVersion);
    return this.#events.filter(({ version }) => version > since).map(({ event }) => event);
  }

  /** One round of the garbage collector: what names only owners that are gone, by UID, is removed. */
  collectGarbage(): void {
    const alive = new Set([...this.#objects.values()].map(({ metadata }) => metadata.uid));
    for (const object of [...this.#objects.values()]) {
      const owners = object.metadata.ownerReferences ?? [];
      if (owners.length > 0 && owners.every(({ uid }) => !alive.has(uid))) {
        this.remove({ kind: object.kind, ...nameOf(object) }, { uid: object.metadata.uid });
      }
    }
  }

  #store(key: string, object: ApiObject): Result {
    const type = this.#objects.has(key) ? 'MODIFIED' : 'ADDED';
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    const stored: ApiObject = { ...object, metadata };
    this.#objects.set(key, stored);
    this.#events.push({ version: this.#version, event: { type, object: stored } });
    return { ok: true, object: stored };
  }

  #drop(object: ApiObject): Result {
    this.#objects.delete(keyOf({ kind: object.kind, ...nameOf(object) }));
    const event = { type: 'DELETED', object } as const;
    this.#events.push({ version: ++this.#version, event });
    return { ok: true, object };
  }
}

function nameOf({ metadata }: ApiObject): { namespace: string; name: string } {
  return { namespace: metadata.namespace, name: metadata.name };
}

function keyOf({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace}/${name}`;
}

function failure(reason: FailureReason, message: string): Result {
  return { ok: false, reason, message };
}

function conflictOf({ metadata }: ApiObject, wanted: Preconditions): Result | null {
  if (wanted.uid !== undefined && wanted.uid !== metadata.uid) {
    return failure('Conflict', `Precondition failed: UID ${wanted.uid}, the object has ${metadata.uid}`);
  }
  if (wanted.resourceVersion !== undefined && wanted.resourceVersion !== metadata.resourceVersion) {
    return failure('Conflict', 'the object has been modified; apply the changes to the latest version');
  }
  return null;
}

/** Main and status are written apart; what the server owns in metadata is never patched. */
function merged(object: ApiObject, patch: JsonPatch, subresource: 'status' | undefined): ApiObject {
  if (subresource === 'status') return { ...object, status: mergePatch(object.status, patch.status) };
  const { metadata, status, kind: _kind, ...fields } = patch;
  const next = mergePatch(
    object,
    withStatus.has(object.kind) || status === undefined ? fields : { ...fields, status },
  );
  const { name, namespace, uid, resourceVersion, deletionTimestamp } = object.metadata;
  const meta = mergePatch(object.metadata, metadata) as ObjectMeta;
  const own = { name, namespace, uid, resourceVersion };
  return {
    ...(next as ApiObject),
    kind: object.kind,
    metadata: { ...meta, ...own, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
  };
}

/** RFC 7396: null removes, objects merge, everything else replaces. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (patch === undefined) return target;
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
