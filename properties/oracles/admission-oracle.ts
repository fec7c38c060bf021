/**
 * Who may have which claim: the finding's rule, applied to what RBAC holds and what the author wrote, before
 * anything of it became JSON.
 */
import { type AccessWorld, type Identity, permits } from '../models/access-world.ts';
import { namespace, type Spec } from '../models/admission-review.ts';

export function mayActAs(world: AccessWorld, author: Identity, name: string): boolean {
  const wanted = { namespace, verb: 'impersonate', group: '', resource: 'serviceaccounts', name };
  return permits(world, author, wanted);
}

export function mayGet(world: AccessWorld, author: Identity, name: string): boolean {
  return permits(world, author, { namespace, verb: 'get', group: '', resource: 'secrets', name });
}

/** Secrets that a spec of the models delivers, each once, sorted. */
export function secretsOf(spec: Spec): readonly string[] {
  const listed = (spec.secrets ?? []) as readonly { readonly secretRef: string }[];
  const env = (spec.env ?? []) as readonly {
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string } };
  }[];
  const names = [
    ...listed.map(({ secretRef }) => secretRef),
    ...env.flatMap(({ valueFrom }) => (valueFrom === undefined ? [] : [valueFrom.secretKeyRef.name])),
  ];
  return [...new Set(names)].sort();
}

/** By the naming of system.md: CA, forkd leaf, sandbox tokens. */
export function isOfTheSystem(name: string): boolean {
  return (
    ['mitos-ca', 'mitos-forkd-tls'].includes(name) ||
    name.endsWith('-sandbox-token') ||
    name.startsWith('sandbox-token-')
  );
}

/** Why this author may not have a claim of this spec; null when he may. */
export function whyNotEntitled(world: AccessWorld, author: Identity, spec: Spec): string | null {
  const principal = spec.serviceAccount;
  if (typeof principal === 'string' && !mayActAs(world, author, principal)) {
    return `${author.username} may not impersonate ${principal}`;
  }
  const system = secretsOf(spec).find(isOfTheSystem);
  if (system !== undefined) return `${system} is the system's own`;
  const secret = secretsOf(spec).find((name) => !mayGet(world, author, name));
  return secret === undefined ? null : `${author.username} may not get ${secret}`;
}
