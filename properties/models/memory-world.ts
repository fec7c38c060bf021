/**
 * A world in which memory is captured and resumed: accounts, rights, claims with or without admission,
 * workspaces, revisions, and the controller's durable records. It knows what really happened, which nobody
 * who decides can see.
 */
import { hash } from 'node:crypto';
import type { InputOf } from '../protocol/decision.ts';
import type { resumeGate } from '../protocol/resume-gate.ts';

export type GateInput = InputOf<typeof resumeGate>;
export type Stamp = NonNullable<GateInput['stamp']>;
export type Author = Stamp['author'];
export type Binding = GateInput['bindings'][number];
export type Answer = NonNullable<GateInput['answers']>[number];
export type Named = Binding['principal'];
export type Spec = Readonly<Record<string, unknown>>;

interface Stored<S = Spec> {
  metadata: Named & { deletionTimestamp?: string; labels?: Readonly<Record<string, string>> };
  spec: S;
  status?: { head: { name: string; uid: string } };
}

/** A claim with what really happened to it. */
export interface WorldClaim {
  object: Stored;
  /** What stands in its annotation, verified; null: none. */
  stamp: Stamp | null;
  /** Who wrote it last. */
  author: Author;
  /** null: it was made without the check. */
  checked: Checked | null;
}

/** What admission found true; a spec that is another one by now was not checked. */
export interface Checked {
  author: Author;
  principal: Named;
  specHash: string;
}

/** What a captured memory really is. */
export interface Captured {
  /** null: captured without a principal. */
  principal: Named | null;
  workspaceUid: string;
  revisionUid: string;
}

export const home = 'team-a';
export const elsewhere = 'team-b';
export const [accountName, workspaceName, claimName] = ['agent', 'ws', 'claim'] as const;

const person = (name: string, groups: readonly string[] = [], extra: Author['extra'] = {}): Author => ({
  username: name,
  uid: `uid-${name}`,
  groups: [...groups, 'system:authenticated'],
  extra,
});

export const people: Readonly<Record<'alice' | 'grace' | 'eve' | 'scoped' | 'mallory', Author>> = {
  /** Holds both rights at home. */
  alice: person('alice'),
  /** Holds both by her group alone. */
  grace: person('grace', ['operators']),
  /** Holds the stock edit role at home: may impersonate every account there. */
  eve: person('eve', ['editors']),
  /** Alice through a token that is scoped to less: an authorizer that reads scopes allows it nothing here. */
  scoped: { ...person('alice'), extra: { 'scopes.example/only': ['pods'] } },
  /** Has everything elsewhere, nothing at home. */
  mallory: person('mallory'),
};

export type Right = 'impersonate' | 'resume';

/** Rights as RBAC would hold them: `who verb namespace/name`; `*` is any name. */
const honestRights = [
  ...['user:alice', 'group:operators'].flatMap((who) => [
    `${who} impersonate ${home}/${accountName}`,
    `${who} resume ${home}/${workspaceName}`,
  ]),
  `group:editors impersonate ${home}/*`,
  `user:mallory impersonate ${elsewhere}/*`,
  `user:mallory resume ${elsewhere}/*`,
];

export class MemoryWorld {
  readonly accounts = new Map<string, Stored>();
  readonly workspaces = new Map<string, Stored>();
  readonly revisions = new Map<string, Stored>();
  readonly rights = new Set(honestRights);
  readonly memories = new Map<string, Captured>();
  /** The controller's durable records. */
  bindings: Binding[] = [];
  readonly started = new Map<string, Named | null>();
  readonly #seen = new Map<Stamp, string>();
  /** The claim that is served. */
  claim!: WorldClaim;
  admission = true;
  /** UID of the revision that a stale cache shows for the head; null: the cache is fresh. */
  staleHead: string | null = null;
  #count = 0;

  /** Alice's claim was admitted, its memory captured, and she asks for it again. */
  constructor(author: Author = people.alice) {
    for (const namespace of [home, elsewhere]) {
      this.makeAccount(namespace, accountName);
      this.makeAccount(namespace, 'other');
      this.makeWorkspace(namespace, workspaceName);
    }
    this.makeClaim(author);
    this.captured('sha256:5a5a', this.claim.checked?.principal ?? null);
  }

  uid(kind: string): string {
    this.#count += 1;
    return `uid-${kind}-${this.#count}`;
  }

  #object(kind: string, namespace: string, name: string, spec: Spec = {}): Stored {
    return { metadata: { namespace, name, uid: this.uid(kind) }, spec };
  }

  makeAccount(namespace: string, name: string): void {
    this.accounts.set(`${namespace}/${name}`, this.#object('account', namespace, name));
  }

  makeWorkspace(namespace: string, name: string): void {
    this.workspaces.set(`${namespace}/${name}`, this.#object('ws', namespace, name, { size: '1Gi' }));
  }

  /** As the API server's authorizer sees it, extra included. */
  may(author: Author, right: string, namespace: string, name: string): boolean {
    if (Object.keys(author.extra).length > 0) return false;
    const who = [`user:${author.username}`, ...author.groups.map((group) => `group:${group}`)];
    return who.some((one) =>
      [name, '*'].some((any) => this.rights.has(`${one} ${right} ${namespace}/${any}`)),
    );
  }

  /**
   * A claim takes the place of the one before; the controller starts its sandbox. Without admission it comes
   * as it is, with whatever stamp its author copied.
   */
  makeClaim(author: Author, changes: Spec = {}, namespace = home, copied: Stamp | null = null): void {
    const spec = { poolRef: 'pool', serviceAccount: accountName, workspaceRef: workspaceName, ...changes };
    const object = this.#object('claim', namespace, claimName, spec);
    const unchecked = { object, stamp: copied, author, checked: null };
    // A claim that admission refuses is not there: as one that nothing vouches for.
    this.claim = this.admission
      ? (this.#admitted(author, object) ?? { ...unchecked, stamp: null })
      : unchecked;
    this.see();
    this.started.set(this.claim.object.metadata.uid, this.claim.stamp?.principal ?? null);
  }

  /** An update that admission refuses changes nothing. */
  changeClaim(author: Author, changes: Spec): void {
    const { object } = this.claim;
    const changed = { ...object, spec: { ...object.spec, ...changes } };
    const unchecked = { ...this.claim, object: changed, author };
    this.claim = this.admission ? (this.#admitted(author, changed) ?? this.claim) : unchecked;
    this.see();
  }

  /** The durable record of where a stamp was seen first. */
  see(): void {
    const { stamp, object } = this.claim;
    if (stamp !== null && !this.#seen.has(stamp)) this.#seen.set(stamp, object.metadata.uid);
  }

  /** Admission: a claim that names no account passes, and is stamped so. null: refused. */
  #admitted(author: Author, object: Stored): WorldClaim | null {
    const { namespace, name } = object.metadata;
    const account = this.accounts.get(`${namespace}/${object.spec.serviceAccount}`)?.metadata ?? null;
    if (account !== null && !this.may(author, 'impersonate', namespace, account.name)) return null;
    const principal = account === null ? null : { namespace, name: account.name, uid: account.uid };
    const specHash = specHashOf(object.spec);
    const stamp = { author, namespace, name, principal, secrets: [], specHash };
    return { object, stamp, author, checked: principal === null ? null : { author, principal, specHash } };
  }

  /** The controller writes memory, its revision and its binding; the revision is the head. */
  captured(memory: string, principal: Named | null): void {
    const { namespace } = this.claim.object.metadata;
    const { metadata: workspace } = this.workspaceOf(namespace);
    const revision = this.revision(namespace, memory, principal?.name);
    const revisionUid = revision.metadata.uid;
    this.memories.set(memory, { principal, workspaceUid: workspace.uid, revisionUid });
    if (principal !== null)
      this.bindings.push({ memory, workspace: { ...workspace }, revisionUid, principal });
  }

  /** Whoever may create revisions: the newest is the head. */
  revision(namespace: string, memorySnapshot: string, memorySnapshotPrincipal?: string): Stored {
    const bound = memorySnapshotPrincipal === undefined ? {} : { memorySnapshotPrincipal };
    const spec = { workspaceRef: workspaceName, memorySnapshot, ...bound };
    const made = this.#object('rev', namespace, `${workspaceName}-r${this.revisions.size}`, spec);
    const { name, uid } = made.metadata;
    this.revisions.set(uid, made);
    this.workspaceOf(namespace).status = { head: { name, uid } };
    return made;
  }

  workspaceOf(namespace: string, name: string = workspaceName): Stored {
    const found = this.workspaces.get(`${namespace}/${name}`);
    if (found === undefined) throw new Error(`the world has no workspace ${namespace}/${name}`);
    return found;
  }

  /** What is read under the name that the claim gives. */
  servedWorkspace(): Stored | undefined {
    const { metadata, spec } = this.claim.object;
    return this.workspaces.get(`${metadata.namespace}/${spec.workspaceRef}`);
  }

  servedHead(): Stored | undefined {
    return this.revisions.get(this.staleHead ?? this.servedWorkspace()?.status?.head.uid ?? '');
  }

  recordsOf(revisionUid: string): number {
    return this.bindings.filter((one) => one.revisionUid === revisionUid).length;
  }

  /** What the gate is asked with now. */
  input(operation: GateInput['operation']): GateInput {
    const { object, stamp } = this.claim;
    const { namespace, uid } = object.metadata;
    const { serviceAccount } = object.spec;
    return {
      operation,
      claim: object,
      workspace: this.servedWorkspace() ?? null,
      head: operation === 'capture' ? null : (this.servedHead() ?? null),
      serviceAccount: this.accounts.get(`${namespace}/${serviceAccount}`) ?? null,
      stamp,
      stampSeenOn: stamp === null ? null : (this.#seen.get(stamp) ?? null),
      startedAs: this.started.get(uid) ?? null,
      bindings: this.bindings,
      answers: null,
      elapsedMs: 0,
    };
  }
}

/** As the published schema of the stamp says. */
export function specHashOf(spec: Spec): string {
  return hash('sha256', JSON.stringify(sorted(spec)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => [key, sorted(field)]),
  );
}
