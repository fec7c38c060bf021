/**
 * resume-gate: may the memory of a sandbox be captured for this claim, may this head's memory be resumed for
 * it, or which reviews must be asked first?
 * Invariant: memory is a principal's own (namespace, name and UID), and only a claim whose author was checked
 * at admission, and may still act as that principal now, sees it again.
 */
import type { AdmissionStamp, Author, MemoryBinding, Principal } from '#reference/contract/admission.ts';
import { fieldOf, listOf } from '../json-values.ts';
import {
  type AccessReview,
  impersonateReview,
  type ReviewAnswer,
  resumeReview,
  whyNotAllowed,
} from './access-review.ts';
import {
  authorOf,
  type BindingView,
  bindingView,
  type ClaimView,
  claimView,
  headUidOf,
  isTerminating,
  type ObjectId,
  objectIdOf,
  principalOf,
  revisionView,
  sameObject,
} from './memory-objects.ts';

export interface ResumeConfig {
  /** From asking the reviews to having all answers. */
  readonly deadlineMs: number;
}

export interface ResumeCase {
  readonly operation: 'resume' | 'capture';
  /** Claim, workspace, head and account: as the API server has them now; null: it has none. */
  readonly claim: unknown;
  readonly workspace: unknown;
  /** The WorkspaceRevision to resume; not looked at for a capture. */
  readonly head: unknown;
  /** The ServiceAccount that the claim names. */
  readonly serviceAccount: unknown;
  /** Verified with the key; null: the claim has none, or one that does not verify. */
  readonly stamp: AdmissionStamp | null;
  /** UID of the claim on which the controller saw this stamp first, from its durable record; null: none. */
  readonly stampSeenOn: string | null;
  /**
   * The principal that the claim had when its sandbox was started, from the controller's durable record;
   * null: none. A claim may have been changed since. Not looked at for a resume.
   */
  readonly startedAs: Principal | null;
  /** Durable records of the workspace; not looked at for a capture. */
  readonly bindings: readonly MemoryBinding[];
  /** null: not asked yet. */
  readonly answers: readonly ReviewAnswer[] | null;
  /** Since the reviews were asked. */
  readonly elapsedMs: number;
}

/** What the binding of captured memory must hold, besides digest and revision. */
export interface NewBinding {
  readonly workspace: ObjectId;
  readonly principal: Principal;
}

export type ResumeVerdict =
  | { readonly verdict: 'refuse'; readonly rule: string }
  | { readonly verdict: 'review'; readonly reviews: readonly AccessReview[]; readonly rule: string }
  /** `memory`: the digest that is loaded, and no other. */
  | { readonly verdict: 'resume'; readonly memory: string; readonly rule: string }
  | { readonly verdict: 'capture'; readonly binding: NewBinding; readonly rule: string };

const refuse = (rule: string): ResumeVerdict => ({ verdict: 'refuse', rule });

/** Judges everything but the author's rights first, then the answers to the reviews. Total. */
export function judgeMemory(config: ResumeConfig, input: ResumeCase): ResumeVerdict {
  const { operation, answers } = input;
  if (operation !== 'resume' && operation !== 'capture') return refuse('no such operation');
  const claim = claimView(input.claim);
  if (claim === null) return refuse('claim: no namespace, name or uid');
  const checked = checkedPrincipal(claim, input);
  if (typeof checked === 'string') return refuse(checked);
  const { author, principal } = checked;
  const workspace = workspaceOf(claim, input.workspace);
  if (typeof workspace === 'string') return refuse(workspace);
  const capturing = operation === 'capture';
  const bound = capturing ? whyNotItsOwn(input, principal) : boundMemory(input, workspace, principal);
  if (typeof bound === 'string') return refuse(bound);
  const reviews = [impersonateReview(author, principal)];
  if (bound !== null) reviews.push(resumeReview(author, workspace.namespace, workspace.name));
  if (answers === null) return { verdict: 'review', reviews, rule: 'rights are asked again, now' };
  if (!(input.elapsedMs <= config.deadlineMs)) return refuse('review: late');
  const why = whyNotAllowed(reviews, answers);
  if (why !== null) return refuse(why);
  if (bound !== null) {
    return { verdict: 'resume', memory: bound.memory, rule: 'bound to this revision, author may' };
  }
  return { verdict: 'capture', binding: { workspace, principal }, rule: 'of a principal, author may' };
}

interface Checked {
  readonly author: Author;
  readonly principal: Principal;
}

/** The principal that admission checked for this very claim, and that is still the same account. */
function checkedPrincipal(
  claim: ClaimView,
  { stamp, stampSeenOn, serviceAccount }: ResumeCase,
): Checked | string {
  if (claim.serviceAccount === null) return 'principal: the claim names none';
  if (stamp === null) return 'stamp: none: admitted without the check';
  if (fieldOf(stamp, 'namespace') !== claim.namespace) return 'stamp: of another namespace';
  if (fieldOf(stamp, 'name') !== claim.name) return 'stamp: of another claim';
  if (claim.specHash === null || fieldOf(stamp, 'specHash') !== claim.specHash)
    return 'stamp: of another spec';
  if (stampSeenOn !== claim.uid) return 'stamp: not first seen on this claim';
  const author = authorOf(fieldOf(stamp, 'author'));
  if (author === null) return 'stamp: no author';
  const principal = principalOf(fieldOf(stamp, 'principal'));
  if (principal === null) return 'stamp: no principal';
  if (principal.namespace !== claim.namespace) return 'principal: of another namespace';
  if (principal.name !== claim.serviceAccount) return 'principal: not the one that was checked';
  const account = objectIdOf(serviceAccount);
  if (account === null) return 'principal: no such service account now';
  if (!sameObject(account, principal)) return 'principal: another service account now';
  if (isTerminating(serviceAccount)) return 'principal: service account is terminating';
  return { author, principal };
}

/** The workspace that the claim names, in its own namespace. */
function workspaceOf(claim: ClaimView, workspace: unknown): ObjectId | string {
  const id = objectIdOf(workspace);
  if (id === null) return 'workspace: no namespace, name or uid';
  if (id.namespace !== claim.namespace) return 'workspace: of another namespace';
  return id.name === claim.workspace ? id : 'workspace: not the one that the claim names';
}

/** What a sandbox holds in memory belongs to whom it was started for. */
function whyNotItsOwn({ startedAs }: ResumeCase, principal: Principal): string | null {
  const started = principalOf(startedAs);
  if (started === null) return 'principal: the sandbox was started without one';
  return sameObject(started, principal) ? null : 'principal: the sandbox was started for another';
}

/**
 * The one record that the controller made when it wrote this very revision; the head, which tenants may have
 * written, agrees with it.
 */
function boundMemory(input: ResumeCase, workspace: ObjectId, principal: Principal): BindingView | string {
  const head = revisionView(input.head);
  if (head === null) return 'head: no namespace, name or uid';
  if (head.namespace !== workspace.namespace) return 'head: of another namespace';
  if (head.uid !== headUidOf(input.workspace)) return 'head: not the one that the workspace names';
  const records = listOf(input.bindings).filter((one) => fieldOf(one, 'revisionUid') === head.uid);
  if (records.length === 0) return 'binding: none for this revision';
  if (records.length > 1) return 'binding: more than one for this revision';
  const binding = bindingView(records[0]);
  if (binding === null) return 'binding: unreadable, or without a principal';
  if (!sameObject(binding.workspace, workspace)) return 'binding: of another workspace';
  if (!sameObject(binding.principal, principal)) return 'binding: of another principal';
  if (head.memory !== binding.memory) return 'head: names another memory than the binding';
  if (head.principal !== binding.principal.name) return 'head: names another principal than the binding';
  return binding;
}
