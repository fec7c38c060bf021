/**
 * What becomes of a whole admission request (findings.md F5, F3 "the confused deputy"): the finding's rules
 * on what an author wrote, what RBAC holds and what became of the API server's answers.
 */
import { hash } from 'node:crypto';
import { type AccessWorld, type Identity, scopesKey } from '../models/access-world.ts';
import {
  type ClaimRequest,
  controllerName,
  namespace,
  type Spec,
  stampKey,
  steeringKey,
} from '../models/admission-review.ts';
import type { Disturbance } from '../models/admission-run.ts';
import { isOfTheSystem, mayActAs, mayGet, secretsOf } from './admission-oracle.ts';

export interface AdmissionScene {
  readonly request: ClaimRequest;
  readonly world: AccessWorld;
  /** Whatever is asked of this kind is not answered well. */
  readonly disturbance: Disturbance | null;
}

export interface RequiredOfAdmission {
  readonly outcome: 'allowed' | 'denied';
  readonly why: string;
  /** What the stamp says; null: nothing is stamped. */
  readonly stamp: { readonly principalUid: string | null; readonly secrets: readonly string[] } | null;
}

/** RFC 1123 labels, joined by dots. */
const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

const allowed = (why: string, stamp: RequiredOfAdmission['stamp'] = null): RequiredOfAdmission => ({
  outcome: 'allowed',
  why,
  stamp,
});
const denied = (why: string): RequiredOfAdmission => ({ outcome: 'denied', why, stamp: null });

export function requiredOfAdmission(scene: AdmissionScene): RequiredOfAdmission {
  const { operation, subResource, author, object, before } = scene.request;
  if (operation === 'DELETE' && subResource === undefined) return allowed('a deletion takes nothing along');
  if (subResource !== undefined && subResource !== 'status') return denied('an unknown subresource');
  if (operation !== 'UPDATE' && (operation !== 'CREATE' || subResource !== undefined)) {
    return denied('an unknown operation');
  }
  const changes = (key: string) => before?.annotations?.[key] !== object?.annotations?.[key];
  const specStays = before !== null && JSON.stringify(before.spec) === JSON.stringify(object?.spec);
  const isController = author.username === controllerName;
  if (changes(stampKey)) return denied('the stamp is admission’s');
  if (subResource === 'status') {
    const narrow = isController && specStays && !changes(steeringKey);
    return narrow ? allowed('the controller’s status') : denied('the status is the controller’s, by itself');
  }
  if (changes(steeringKey) && !(isController && specStays)) return denied('steering is the controller’s');
  return specStays ? allowed('nothing that is protected changes') : requiredOfSpec(scene);
}

function requiredOfSpec({ request, world, disturbance }: AdmissionScene): RequiredOfAdmission {
  const { author, object, before } = request;
  const principalOf = (spec: Readonly<Record<string, unknown>> | undefined) =>
    typeof spec?.serviceAccount === 'string' ? spec.serviceAccount : null;
  const principal = principalOf(object?.spec);
  const asked = secretsOf(object?.spec ?? {});
  if (principal !== null && !dnsName.test(principal)) return denied('the principal is no name');
  if (asked.some(isOfTheSystem)) return denied('a Secret of the system');
  const principals = new Set([principal, principalOf(before?.spec)].filter((name) => name !== null));
  const secrets = new Set([...asked, ...secretsOf(before?.spec ?? {})]);
  const unheard = (of: Disturbance['of']) => disturbance?.of === of;
  for (const name of principals) {
    if (unheard('impersonate') || !mayActAs(world, author, name)) return denied(`may not act as ${name}`);
  }
  const account = world.accounts.find((one) => one.namespace === namespace && one.name === principal);
  if (principal !== null && (unheard('account') || account === undefined)) return denied('no such account');
  for (const name of secrets) {
    if (unheard('get') || !mayGet(world, author, name)) return denied(`may not get ${name}`);
  }
  if (principal === null && asked.length === 0) return allowed('asks for nothing');
  return allowed('entitled', { principalUid: account?.uid ?? null, secrets: asked });
}

/** As the protocol says of `specHash`: SHA-256 of JSON with sorted keys and without white space. */
export function specDigest(spec: Spec): string {
  return hash('sha256', JSON.stringify(sorted(spec)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, field]) => [key, sorted(field)]));
}

/** Rights that a token was not given, whatever RBAC says of its user. */
export function scopedDown(author: Identity): Identity {
  return { ...author, extra: { [scopesKey]: ['user:info'] } };
}
