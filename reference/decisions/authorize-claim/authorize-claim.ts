/**
 * authorize-claim: an AdmissionReview of a SandboxClaim → allow, deny, or what the API server must be asked
 * first; then, with its answers, allow or deny.
 * Invariant: starts denied. A spec is admitted only for an author who may act as its principal and read its
 * Secrets, and who may do so for what the claim held before. What leaves spec, stamp and the controller's own
 * metadata alone passes for anybody, without a question, so that neither a dead webhook nor a missing right
 * stops finalizers, garbage collection or labels.
 */
import type { AdmissionStamp } from '#reference/contract/admission.ts';
import { canonicalText, fieldOf } from '../json-values.ts';
import { specHashOf } from '../spec-hash.ts';
import { concludeFrom, type Entitlement, type Question, questionsOf } from './access-questions.ts';
import { type ClaimWrite, readRequest } from './admission-request.ts';
import { whyNotAnnotations } from './claim-metadata.ts';
import { askedBefore, readAsked, type SpecLimits, tooManySecrets } from './claim-spec.ts';
import { Refusal } from './refusal.ts';

export interface AuthorizeClaimConfig extends SpecLimits {
  /** User name of the controller's service account. */
  readonly controller: string;
  /** For all questions of one request together, shorter than the webhook's own time-out. */
  readonly reviewDeadlineMs: number;
}

export interface AuthorizeClaimCase {
  /** As it came. dryRun changes nothing: what would be refused wet is refused dry. */
  readonly review: unknown;
  /** One for each question, as they came; null: nobody was asked yet. */
  readonly answers: unknown;
}

/** What the AdmissionResponse says beside the uid of the request. */
export interface Response {
  readonly allowed: boolean;
  readonly code: number;
  readonly message: string;
}

export interface ClaimVerdict {
  readonly verdict: 'allow' | 'deny' | 'review';
  /** Only with `review`. */
  readonly questions: readonly Question[];
  /** Only with `review`: a question that has no answer then has timed out. */
  readonly deadlineMs: number | null;
  /** What admission writes over `stampAnnotation`; null: it leaves the annotation as it is. */
  readonly stamp: AdmissionStamp | null;
  /** null with `review`. */
  readonly response: Response | null;
  readonly rule: string;
}

const nothingAsked = { questions: [], deadlineMs: null } as const;

function deny({ code, rule, message }: Refusal): ClaimVerdict {
  return { verdict: 'deny', ...nothingAsked, stamp: null, response: { allowed: false, code, message }, rule };
}

function allow(rule: string, stamp: AdmissionStamp | null = null): ClaimVerdict {
  const response = { allowed: true, code: 200, message: '' };
  return { verdict: 'allow', ...nothingAsked, stamp, response, rule };
}

/** Total, stateless: judges everything but the answers first, each time. */
export function authorizeClaim(
  config: AuthorizeClaimConfig,
  { review, answers }: AuthorizeClaimCase,
): ClaimVerdict {
  const request = readRequest(review);
  if (request instanceof Refusal) return deny(request);
  if (request.operation === 'DELETE') return allow('deleted: nothing is asked for');
  const byController = request.author.username === config.controller;
  const specStays = keepsSpec(request);
  // Identity opens the controller's narrow writes, and shape holds it to them: with a change of the spec it
  // is an author like any other.
  const narrow = byController && specStays;
  if (request.subresource === 'status') {
    const why = narrow ? whyNotAnnotations(request, false) : notTheControllersStatus;
    return why === null ? allow('status, written by the controller') : deny(why);
  }
  const why = whyNotAnnotations(request, narrow);
  if (why !== null) return deny(why);
  if (specStays) return allow('spec, stamp and steering annotations stay as they are');
  return authorizeSpec(config, request, answers);
}

const notTheControllersStatus = new Refusal(
  403,
  'status: written by the controller alone, and nothing with it',
  'request.subResource: the status of a claim is the controller’s; write its spec',
);

/**
 * A claim that carries no verified stamp is not asked about again here: whoever labels it vouches for
 * nothing that somebody else wrote into its spec, so a stamp in his name would lend his rights to its
 * author. It stays without trust until its spec is written under the check.
 */
function keepsSpec({ object, oldObject }: ClaimWrite): boolean {
  if (oldObject === null) return false;
  const spec = canonicalText(fieldOf(object, 'spec'));
  return spec !== null && spec === canonicalText(fieldOf(oldObject, 'spec'));
}

/**
 * Any change of the spec counts, not a list of fields: what is fetched, what runs, where it is written back
 * and how long it lives all decide what becomes of the principal's memory and of the Secrets, and a field
 * that is added next year is protected from its first day.
 */
function authorizeSpec(config: AuthorizeClaimConfig, request: ClaimWrite, answers: unknown): ClaimVerdict {
  const wanted = entitlementOf(config, request);
  if (wanted instanceof Refusal) return deny(wanted);
  const { asked, principals, secrets } = wanted;
  if (principals.length === 0 && secrets.length === 0) return allow('names no principal and no Secret');
  const stampless = asked.principal === null && asked.secrets.length === 0;
  const specHash = specHashOf(fieldOf(request.object, 'spec'));
  if (specHash === null)
    return deny(new Refusal(422, 'spec: nested too deeply', 'spec: nested too deeply; flatten it'));
  if (request.name === null && !stampless) return deny(nameless);
  const questions = questionsOf(request.author, request.namespace, wanted);
  if (answers === null || answers === undefined) {
    return {
      verdict: 'review',
      questions,
      deadlineMs: config.reviewDeadlineMs,
      stamp: null,
      response: null,
      rule: 'ask what the author may do',
    };
  }
  const concluded = concludeFrom(questions, answers);
  if (concluded instanceof Refusal) return deny(concluded);
  if (stampless) return allow('the author may act for what the claim held before');
  return allow('the author may act as the principal and read the Secrets', {
    author: request.author,
    namespace: request.namespace,
    name: request.name ?? '',
    principal: concluded.principal,
    secrets: asked.secrets,
    specHash,
  });
}

const nameless = new Refusal(
  422,
  'claim: no name to stamp',
  'metadata.name: a claim with a service account or Secrets needs a name of its own; generateName is unknown at admission',
);

/**
 * Also what the claim held under its former spec: the memory and the Secrets are in the guest already, and
 * whoever takes the principal away could send them elsewhere.
 */
function entitlementOf(
  config: AuthorizeClaimConfig,
  { object, oldObject }: ClaimWrite,
): Entitlement | Refusal {
  const asked = readAsked(fieldOf(object, 'spec'), config);
  if (asked instanceof Refusal) return asked;
  const before = askedBefore(fieldOf(oldObject, 'spec'), config);
  const principals = [asked.principal, before.principal].filter((name) => name !== null);
  const secrets = [...new Set([...asked.secrets, ...before.secrets])].sort();
  if (secrets.length > config.maxSecrets) return tooManySecrets(config);
  return { asked, principals: [...new Set(principals)], secrets };
}
