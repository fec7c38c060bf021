/** One vector of the corpus of admission requests, and what most of them have in common. */
import { accounts, alice, entitled, specOf } from '../../../arbitraries/admission-requests.ts';
import type { AccessWorld } from '../../../models/access-world.ts';
import { type ClaimObject, type ClaimRequest, reviewOf } from '../../../models/admission-review.ts';
import { admissionConfig, type Disturbance } from '../../../models/admission-run.ts';

export interface AdmissionVector {
  readonly id: string;
  readonly comment: string;
  readonly config: typeof admissionConfig;
  readonly review: unknown;
  readonly world: AccessWorld;
  readonly disturbance: Disturbance | null;
  /** `impersonate <name>`, `account <name>`, `get <name>`, in this order; empty: decided unasked. */
  readonly asks: readonly string[];
  readonly verdict: 'allow' | 'deny';
  readonly stamped: boolean;
  readonly rule: string;
  readonly source: string;
  readonly flags: readonly string[];
}

export type Part = Partial<Omit<ClaimRequest, 'object' | 'before'>> & {
  readonly object?: ClaimObject | null;
  readonly before?: ClaimObject | null;
  readonly world?: AccessWorld;
  readonly disturbance?: Disturbance;
  readonly asks?: readonly string[];
  readonly stamped?: boolean;
  readonly rule?: string;
  readonly source?: string;
};

export const builder = ['impersonate builder', 'account builder'];
export const nobody: AccessWorld = { grants: [], accounts };

function vector(verdict: 'allow' | 'deny', id: string, comment: string, part: Part): AdmissionVector {
  const { world, disturbance, asks = [], stamped, rule, source, ...request } = part;
  const author = part.author ?? alice;
  const object = part.object === undefined ? { spec: specOf('builder') } : part.object;
  return {
    id,
    comment,
    config: admissionConfig,
    review: reviewOf({ operation: 'CREATE', ...request, author, object, before: part.before ?? null }),
    world: world ?? entitled(author),
    disturbance: disturbance ?? null,
    asks,
    verdict,
    stamped: stamped ?? (verdict === 'allow' && asks.length > 0),
    rule: rule ?? comment,
    source: source ?? 'findings.md F5',
    flags: verdict === 'deny' ? ['negative'] : [],
  };
}

export const allow = (id: string, comment: string, part: Part) => vector('allow', id, comment, part);
export const deny = (id: string, comment: string, part: Part) => vector('deny', id, comment, part);

export function named(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}
