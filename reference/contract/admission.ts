/**
 * What admission, the controller and the resume gate agree on about principals, authors and workspaces: the
 * stamp that admission leaves on a claim, and the record that binds a memory snapshot to its principal.
 */

/** A service account as memory is bound to it: made again under its name it is another principal. */
export interface Principal {
  readonly namespace: string;
  /** DNS-1123 subdomain, as Kubernetes names service accounts. */
  readonly name: string;
  readonly uid: string;
}

/** Who sent a request, exactly as the API server said: what a SubjectAccessReview is asked with. */
export interface Author {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/**
 * What admission found when it let a claim pass. The admission webhook writes it into the claim
 * (`stampAnnotation`), authenticated by a key that only the controller holds; a claim whose stamp does not
 * verify was admitted without the check and carries no trust. It is tied to the namespace, the name and the
 * hash of the spec, so that a stamp moved to another claim or spec does not verify. Not to the UID: the API
 * server gives a claim its UID, and a generated name, only after mutating admission. So a claim that needs a
 * stamp needs a name of its own, and a stamp that a request brings along is denied.
 */
export interface AdmissionStamp {
  readonly author: Author;
  readonly namespace: string;
  readonly name: string;
  /** null: the claim names no principal. */
  readonly principal: Principal | null;
  /** Names of the Secrets that the author may get, in the namespace of the claim. */
  readonly secrets: readonly string[];
  /** SHA-256 of the canonical JSON of the spec, lower-case hex. */
  readonly specHash: string;
}

/**
 * Written by admission alone. Its envelope holds a nonce beside the stamp, so that no two admissions leave
 * the same text: the stamp cannot name the UID of the claim (there is none yet when admission writes), so
 * the controller notes durably on which UID it saw a text first, and a copy on a claim that was made again
 * under the name is known as one.
 */
export const stampAnnotation = 'mitos.run/admission-stamp';

/**
 * Ties a memory snapshot to its revision and principal. Stands in the controller's namespace, where no
 * tenant has a right; outlives restarts.
 */
export interface MemoryBinding {
  /** Digest of the memory snapshot. */
  readonly memory: string;
  readonly workspace: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** UID of the WorkspaceRevision that the controller wrote for it. */
  readonly revisionUid: string;
  readonly principal: Principal;
}

/** Besides `impersonate`, resuming memory needs this verb on this resource; no stock role holds it. */
export const resumeVerb = 'resume';
export const memoryResource = { group: 'mitos.run', resource: 'workspaces', subresource: 'memory' } as const;

/** Annotations that steer hydrate and dehydrate of a workspace: written by the controller alone. */
export const steeringAnnotationPrefix = 'workspace.mitos.run/';
