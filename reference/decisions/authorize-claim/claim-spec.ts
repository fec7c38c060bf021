/**
 * What a claim's spec asks for: a principal, and Secrets by name.
 * Invariant: every source that delivers a Secret to the guest is read here; one that cannot be read is
 * refused, never skipped.
 */

import { isDnsSubdomain } from '../dns-1123.ts';
import { fieldOf, isObject } from '../json-values.ts';
import { Refusal } from './refusal.ts';

export interface Asked {
  /** DNS-1123 subdomain, as service accounts are named; null: none. */
  readonly principal: string | null;
  /** Each once, sorted. */
  readonly secrets: readonly string[];
}

export interface SpecLimits {
  /** Of one request, those that the claim held before among them: each is a review. */
  readonly maxSecrets: number;
  /** Names; a leading or trailing `*` stands for anything. */
  readonly systemSecrets: readonly string[];
}

/** What the spec asks for, or why nobody may ask that. */
export function readAsked(spec: unknown, limits: SpecLimits): Asked | Refusal {
  if (!isObject(spec)) return new Refusal(422, 'spec: unreadable', 'spec: must be an object with a poolRef');
  const principal = fieldOf(spec, 'serviceAccount');
  const anonymous = principal === undefined || principal === null || principal === '';
  if (!anonymous && !isDnsSubdomain(principal)) {
    return new Refusal(
      422,
      'principal: not a DNS-1123 name',
      'spec.serviceAccount: must be the name of a service account of this namespace: a-z, 0-9, - and ., at most 253 characters',
    );
  }
  const names = secretsOf(spec);
  if (names instanceof Refusal) return names;
  const system = names.find((name) => isSystemSecret(name, limits.systemSecrets));
  if (system !== undefined) {
    return new Refusal(
      403,
      'secret: of the system itself',
      `spec.secrets: Secret "${system}" belongs to the system and is given to nobody; name one of your own`,
    );
  }
  return { principal: anonymous ? null : principal, secrets: [...new Set(names)].sort() };
}

export function tooManySecrets({ maxSecrets }: SpecLimits): Refusal {
  return new Refusal(
    422,
    'secret: more than can be asked about',
    `spec.secrets: at most ${maxSecrets} Secrets; put what belongs together into one`,
  );
}

/**
 * What the claim may hold already under its former spec. What no admission can have granted (no name, a
 * Secret of the system) was never delivered, so it is left out and the spec can still be mended.
 */
export function askedBefore(spec: unknown, limits: SpecLimits): Asked {
  const principal = fieldOf(spec, 'serviceAccount');
  const names = secretsOf(spec);
  const granted =
    names instanceof Refusal ? [] : names.filter((name) => !isSystemSecret(name, limits.systemSecrets));
  return { principal: isDnsSubdomain(principal) ? principal : null, secrets: granted };
}

/** Names of all Secrets that the spec has delivered; null when one is unreadable. */
export function deliveredSecrets(spec: unknown): readonly string[] | null {
  const names = secretsOf(spec);
  return names instanceof Refusal ? null : [...new Set(names)];
}

export function isSystemSecret(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    if (pattern.startsWith('*')) return name.endsWith(pattern.slice(1));
    return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  });
}

/** `spec.secrets[].secretRef` and `spec.env[].valueFrom.secretKeyRef.name`, as often as they stand there. */
function secretsOf(spec: unknown): readonly string[] | Refusal {
  const names: string[] = [];
  for (const [index, one] of entriesOf(spec, 'secrets')) {
    const name = fieldOf(one, 'secretRef');
    if (!isDnsSubdomain(name)) return unreadable(`spec.secrets[${index}].secretRef`);
    names.push(name);
  }
  for (const [index, one] of entriesOf(spec, 'env')) {
    if (!isObject(one)) return unreadable(`spec.env[${index}]`);
    const from = fieldOf(one, 'valueFrom');
    if (from === undefined || from === null) continue;
    const name = fieldOf(fieldOf(from, 'secretKeyRef'), 'name');
    // Another source beside it might deliver what nobody was asked about.
    if (!isObject(from) || Object.keys(from).length !== 1 || !isDnsSubdomain(name)) {
      return unreadable(`spec.env[${index}].valueFrom.secretKeyRef.name`);
    }
    names.push(name);
  }
  return names;
}

/** Entries of a list; a value that is no list is one entry that nobody can read. */
function entriesOf(spec: unknown, field: string): readonly (readonly [number, unknown])[] {
  const list = fieldOf(spec, field);
  if (list === undefined || list === null) return [];
  return Array.isArray(list) ? [...list.entries()] : [[0, undefined]];
}

function unreadable(field: string): Refusal {
  return new Refusal(
    422,
    'secret: its source is unreadable',
    `${field}: must be the name of a Secret of this namespace (DNS-1123), and the only source of its entry`,
  );
}
