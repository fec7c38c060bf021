/**
 * What a resume or a capture would really do, by what happened in the world: whose memory, which claim, whose
 * rights. It never looks at how a gate came to its verdict.
 */
import { type MemoryWorld, type Named, specHashOf, type WorldClaim } from '../models/memory-world.ts';
import type { Attempted } from '../models/resume-run.ts';

const same = (one: Named | null, other: Named | null) =>
  one !== null &&
  other !== null &&
  (['namespace', 'name', 'uid'] as const).every((part) => one[part] === other[part]);

const text = (one: Named | null) => (one === null ? 'nobody' : `${one.namespace}/${one.name} (${one.uid})`);

/** DNS-1123 subdomain, as Kubernetes names service accounts. */
const isAccountName = (name: string) =>
  name.length <= 253 && name.split('.').every((part) => /^[a-z0-9-]+$/.test(part) && !/^-|-$/.test(part));

/** Why the memory must not be served or kept as it was; null when it may. */
export function whyWrong(world: MemoryWorld, { output, troubled }: Attempted): string | null {
  if (output.verdict !== 'resume' && output.verdict !== 'capture') return null;
  const why = whyNotTheClaim(world);
  if (why !== null) return why;
  if (troubled) return 'the reviews were not answered with an unambiguous yes in time';
  return output.verdict === 'resume'
    ? whyNotResumed(world, output.memory ?? '')
    : whyNotCaptured(world, output.binding ?? null);
}

/** A claim that admission checked, as it is, whose author may act as its principal still. */
function whyNotTheClaim(world: MemoryWorld): string | null {
  const { object, author, checked } = world.claim;
  const { namespace } = object.metadata;
  const { serviceAccount } = object.spec;
  if (typeof serviceAccount !== 'string' || !isAccountName(serviceAccount)) {
    return 'the claim names no principal';
  }
  if (checked === null) return `the claim of ${author.username} was admitted without the check`;
  if (specHashOf(object.spec) !== checked.specHash) return 'the spec is not the one that was checked';
  const { principal } = checked;
  const account = world.accounts.get(`${namespace}/${serviceAccount}`);
  if (!same(account?.metadata ?? null, principal)) {
    return `the account was ${text(principal)} when it was checked, and is ${text(account?.metadata ?? null)}`;
  }
  if (account?.metadata.deletionTimestamp !== undefined) return 'the account is being deleted';
  return world.may(checked.author, 'impersonate', namespace, principal.name)
    ? null
    : `${checked.author.username} may not impersonate ${principal.name} now`;
}

function whyNotResumed(world: MemoryWorld, memory: string): string | null {
  const captured = world.memories.get(memory);
  const { object, checked } = world.claim;
  const workspace = world.servedWorkspace();
  if (captured === undefined) return `no memory ${memory} was ever captured`;
  if (captured.principal === null) return 'the memory was captured without a principal';
  const principal = checked?.principal ?? null;
  if (!same(captured.principal, principal)) {
    return `the memory is of ${text(captured.principal)}, the claim of ${text(principal)}`;
  }
  if (workspace === undefined || !isTheClaims(object, workspace.metadata)) {
    return 'the claim names another workspace';
  }
  if (captured.workspaceUid !== workspace.metadata.uid) return 'the memory is of another workspace';
  const why = whyNotTheHead(world, memory, captured.principal.name, captured.revisionUid);
  if (why !== null) return why;
  const { namespace, name } = workspace.metadata;
  return checked !== null && world.may(checked.author, 'resume', namespace, name)
    ? null
    : `${checked?.author.username} may not resume the memory of this workspace now`;
}

function isTheClaims(claim: WorldClaim['object'], workspace: Named): boolean {
  return workspace.name === claim.spec.workspaceRef && workspace.namespace === claim.metadata.namespace;
}

function whyNotTheHead(world: MemoryWorld, memory: string, principal: string, uid: string): string | null {
  const head = world.servedHead();
  if (head?.metadata.uid !== uid || head.metadata.namespace !== world.claim.object.metadata.namespace) {
    return 'the head is not the revision that the controller wrote for this memory';
  }
  if (world.servedWorkspace()?.status?.head.uid !== uid) return 'the workspace names another head';
  if (head.spec.memorySnapshot !== memory) return 'the head names another memory';
  if (head.spec.memorySnapshotPrincipal !== principal) return 'the head names another principal';
  return world.recordsOf(uid) === 1 ? null : 'the tie of memory and revision is lost or ambiguous';
}

function whyNotCaptured(
  world: MemoryWorld,
  binding: { readonly principal: Named; readonly workspace: Named } | null,
): string | null {
  const { object, checked } = world.claim;
  const principal = checked?.principal ?? null;
  const started = world.started.get(object.metadata.uid) ?? null;
  if (!same(started, principal)) {
    return `the sandbox was started as ${text(started)}, and the claim is of ${text(principal)}`;
  }
  const workspace = world.servedWorkspace()?.metadata ?? null;
  if (workspace === null || !isTheClaims(object, workspace)) return 'the claim names another workspace';
  const bound = binding?.principal ?? null;
  if (!same(bound, principal)) return `bind it to ${text(principal)}, not to ${text(bound)}`;
  return same(binding?.workspace ?? null, workspace) ? null : 'it is bound to another workspace';
}
