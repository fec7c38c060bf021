/**
 * The finite set of cases for which resume-gate is proved: a claim that may have its memory, with some facts
 * wrong, and what the API server answers. Wrong values differ from each other, so that two never make one
 * right.
 */
import { type GateInput, people, type Spec, type Stamp, specHashOf } from '../../models/memory-world.ts';
import { combinations } from './combinations.ts';

type Operation = GateInput['operation'];
type Named = NonNullable<GateInput['startedAs']>;
interface Stored {
  readonly metadata: Named & { readonly deletionTimestamp?: string };
  readonly spec?: Spec;
  readonly status?: Spec;
}

interface Facts {
  readonly claim: Stored;
  readonly workspace: Stored | null;
  readonly head: Stored | null;
  readonly serviceAccount: Stored | null;
  readonly stamp: Stamp | null;
  readonly stampSeenOn: string | null;
  readonly startedAs: Named | null;
  readonly bindings: GateInput['bindings'];
}

export interface FactChoice {
  readonly says: string;
  readonly apply: (facts: Facts) => Facts;
  /** The operation that it matters to; both when it is left out. */
  readonly only?: Operation;
}

const named = (name: string, uid: string, namespace = 'team-a'): Named => ({ namespace, name, uid });
export const principal = named('agent', 'uid-agent');
export const workspace = named('ws', 'uid-ws');
export const memory = 'sha256:5a';
export const author = people.scoped;
const spec = { poolRef: 'pool', serviceAccount: 'agent', workspaceRef: 'ws' };
const binding: GateInput['bindings'][number] = {
  memory,
  workspace,
  revisionUid: 'uid-ws-1',
  principal,
};

const right: Facts = {
  claim: { metadata: named('claim', 'uid-claim'), spec },
  workspace: { metadata: workspace, status: { head: { name: 'ws-1', uid: 'uid-ws-1' } } },
  head: {
    metadata: named('ws-1', 'uid-ws-1'),
    spec: { memorySnapshot: memory, memorySnapshotPrincipal: 'agent' },
  },
  serviceAccount: { metadata: principal },
  stamp: { author, namespace: 'team-a', name: 'claim', principal, secrets: [], specHash: specHashOf(spec) },
  stampSeenOn: 'uid-claim',
  startedAs: principal,
  bindings: [binding],
};

const keep: FactChoice = { says: 'right', apply: (facts) => facts };
const set = (says: string, fields: Partial<Facts>, only?: Operation): FactChoice => ({
  says,
  apply: (facts) => ({ ...facts, ...fields }),
  ...(only === undefined ? {} : { only }),
});
/** The stamp was made for this spec: that it names what it names is the fault. */
const claimed = (says: string, fields: Spec): FactChoice => ({
  says,
  apply: (facts) => {
    const changed = { ...facts.claim.spec, ...fields };
    const stamp = facts.stamp === null ? null : { ...facts.stamp, specHash: specHashOf(changed) };
    return { ...facts, claim: { ...facts.claim, spec: changed }, stamp };
  },
});
const stamped = (says: string, fields: Partial<Stamp>): FactChoice => ({
  says,
  apply: (facts) => (facts.stamp === null ? facts : { ...facts, stamp: { ...facts.stamp, ...fields } }),
});
const headed = (says: string, fields: Spec): FactChoice => ({
  says,
  only: 'resume',
  apply: (facts) =>
    facts.head === null
      ? facts
      : { ...facts, head: { ...facts.head, spec: { ...facts.head.spec, ...fields } } },
});
const bound = (says: string, bindings: GateInput['bindings']) => set(says, { bindings }, 'resume');
const workspaceAs = (says: string, metadata: Named): FactChoice => ({
  says,
  apply: (facts) => ({ ...facts, workspace: { ...right.workspace, metadata } }),
});

const lists: readonly (readonly FactChoice[])[] = [
  [
    keep,
    claimed('the claim names no principal', { serviceAccount: null }),
    claimed('the claim names another account', { serviceAccount: 'deployer' }),
  ],
  [keep, claimed('the claim names another workspace', { workspaceRef: 'ws-2' })],
  [
    keep,
    stamped('a stamp of another namespace', { namespace: 'team-b' }),
    stamped('a stamp of another claim', { name: 'claim-2' }),
    stamped('a stamp of another spec', { specHash: specHashOf({ ...spec, poolRef: 'pool-2' }) }),
    set('no stamp', { stamp: null }),
  ],
  [
    keep,
    stamped('nobody was checked', { principal: null }),
    stamped('checked in another namespace', { principal: named('agent', 'uid-agent', 'team-c') }),
    stamped('checked under another name', { principal: named('agent-2', 'uid-agent') }),
    stamped('checked under another UID', { principal: named('agent', 'uid-agent-checked') }),
  ],
  [
    keep,
    set('the stamp was seen first on another claim', { stampSeenOn: 'uid-claim-before' }),
    set('the stamp was never seen', { stampSeenOn: null }),
  ],
  [
    keep,
    set('no account now', { serviceAccount: null }),
    set('the account was made again', { serviceAccount: { metadata: named('agent', 'uid-agent-now') } }),
    set('an account of another namespace', {
      serviceAccount: { metadata: named('agent', 'uid-agent', 'team-d') },
    }),
    set('the account is terminating', {
      serviceAccount: { metadata: { ...principal, deletionTimestamp: '2026-11-25T00:00:00Z' } },
    }),
  ],
  [
    keep,
    set('no workspace', { workspace: null }),
    workspaceAs('a workspace of another namespace', named('ws', 'uid-ws', 'team-e')),
    workspaceAs('a workspace of another name', named('ws-3', 'uid-ws')),
    { ...workspaceAs('a workspace that was made again', named('ws', 'uid-ws-now')), only: 'resume' },
    set(
      'the workspace names another head',
      { workspace: { metadata: workspace, status: { head: { name: 'ws-2', uid: 'uid-ws-2' } } } },
      'resume',
    ),
  ],
  [
    keep,
    set('no head', { head: null }, 'resume'),
    set(
      'a head of another namespace',
      { head: { ...right.head, metadata: named('ws-1', 'uid-ws-1', 'team-f') } },
      'resume',
    ),
    set(
      'another revision',
      { head: { ...right.head, metadata: named('ws-1', 'uid-ws-1-forged') } },
      'resume',
    ),
  ],
  [
    keep,
    headed('the head names another memory', { memorySnapshot: 'sha256:6b' }),
    headed('the head names no memory', { memorySnapshot: '' }),
  ],
  [
    keep,
    headed('the head names another principal', { memorySnapshotPrincipal: 'deployer' }),
    headed('the head names no principal', { memorySnapshotPrincipal: null }),
  ],
  [
    keep,
    bound('no binding', []),
    bound('two bindings', [binding, binding]),
    bound('a binding of another revision', [{ ...binding, revisionUid: 'uid-ws-9' }]),
    bound('a binding of another workspace', [{ ...binding, workspace: named('ws', 'uid-ws-before') }]),
    bound('a binding of another principal', [{ ...binding, principal: named('agent', 'uid-agent-before') }]),
    bound('a binding of another memory', [{ ...binding, memory: 'sha256:7c' }]),
  ],
  [
    keep,
    set('started as nobody', { startedAs: null }, 'capture'),
    set('started as another', { startedAs: named('agent', 'uid-agent-started') }, 'capture'),
  ],
];

export interface ScopedMemory {
  readonly operation: Operation;
  readonly facts: Facts;
  /** All that is wrong, and whether it matters to the operation. */
  readonly faults: readonly string[];
  readonly wrong: boolean;
}

export function* memories(maxFaults: number): Generator<ScopedMemory, void, undefined> {
  for (const operation of ['resume', 'capture'] as const) {
    for (const { chosen, faults } of combinations(lists, maxFaults)) {
      // Later lists win where two choices write the same field: their fault stands, the other is gone.
      const facts = chosen.reduce((before, { apply }) => apply(before), right);
      const wrong = chosen.some((choice) => choice !== keep && (choice.only ?? operation) === operation);
      yield { operation, facts, faults, wrong };
    }
  }
}

/** The scope in words, counted. */
export function memoryScope(maxFaults: number): string {
  const count = lists.map((list) => list.length - 1).join(' + ');
  return (
    `to resume and to capture, with at most ${maxFaults} facts wrong at once, of ${count} wrong values of: account and workspace that the ` +
    'claim names; stamp; principal that was checked; where the stamp was seen; account now; workspace; head, its memory, its principal; ' +
    'bindings; whom the sandbox was started for'
  );
}
