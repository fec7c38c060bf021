/**
 * The reviews that a resume or a capture rests on, and what counts as a yes.
 * Invariant: an answer allows only what it was asked, and only without any sign of doubt.
 */
import { type Author, memoryResource, type Principal, resumeVerb } from '#reference/contract/admission.ts';
import { readAccessStatus } from '../access-status.ts';
import { canonicalText, fieldOf } from '../json-values.ts';

/** The spec of a SubjectAccessReview (authorization.k8s.io/v1). */
export interface AccessReview {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
  readonly resourceAttributes: {
    readonly namespace: string;
    readonly verb: string;
    readonly group: string;
    readonly resource: string;
    readonly subresource: string;
    readonly name: string;
  };
}

/** One review that was asked: the status that came back, or why none did (a time-out is an error). */
export interface ReviewAnswer {
  readonly review: unknown;
  readonly status?: unknown;
  readonly error?: unknown;
}

type ResourceAttributes = AccessReview['resourceAttributes'];

/** Author → who asks, exactly as the API server said when the claim was admitted. */
function reviewOf(author: Author, resourceAttributes: ResourceAttributes): AccessReview {
  const { username, uid, groups, extra } = author;
  return { user: username, uid, groups, extra, resourceAttributes };
}

export function impersonateReview(author: Author, { namespace, name }: Principal): AccessReview {
  const account = { group: '', resource: 'serviceaccounts', subresource: '', name };
  return reviewOf(author, { namespace, verb: 'impersonate', ...account });
}

export function resumeReview(author: Author, namespace: string, workspace: string): AccessReview {
  return reviewOf(author, { namespace, verb: resumeVerb, ...memoryResource, name: workspace });
}

/** Why the answers do not allow what the reviews ask; null when each is an unambiguous yes. Total. */
export function whyNotAllowed(
  reviews: readonly AccessReview[],
  answers: readonly ReviewAnswer[],
): string | null {
  if (!Array.isArray(answers)) return 'review: no list of answers';
  if (answers.length !== reviews.length) return 'review: not one answer to each';
  for (const [index, review] of reviews.entries()) {
    const why = whyNoYes(review, answers[index]);
    if (why !== null) return `review: ${review.resourceAttributes.verb}: ${why}`;
  }
  return null;
}

function whyNoYes(review: AccessReview, answer: unknown): string | null {
  // What was read may have changed since the reviews were asked: a yes to another question is none.
  if (canonicalText(fieldOf(answer, 'review')) !== canonicalText(review)) return 'answers another question';
  if (isGiven(fieldOf(answer, 'error'))) return 'could not be asked';
  const status = readAccessStatus(fieldOf(answer, 'status'));
  return status === 'allowed' ? null : status;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
