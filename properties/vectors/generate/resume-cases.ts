/**
 * The corpus of resume cases: claims, stamps, workspaces, heads, bindings, accounts and answers, and whether
 * the memory may be captured or resumed.
 */
import { type Answer, type GateInput, MemoryWorld, specHashOf } from '../../models/memory-world.ts';
import { answerFaults, gateConfig, listFaults } from '../../models/resume-run.ts';
import type { OutputOf } from '../../protocol/decision.ts';
import type { resumeGate } from '../../protocol/resume-gate.ts';

type Output = OutputOf<typeof resumeGate>;
type Reviews = NonNullable<Output['reviews']>;

export interface ResumeVector {
  readonly id: string;
  readonly comment: string;
  readonly config: typeof gateConfig;
  /** As in the protocol of resume-gate, before anything was reviewed. */
  readonly input: GateInput;
  /** What must be asked; null: it is refused without. */
  readonly reviews: Reviews | null;
  /** What comes back; null: yes to whatever is asked. */
  readonly answers: readonly Answer[] | null;
  readonly elapsedMs: number;
  readonly verdict: 'resume' | 'capture' | 'refuse';
  readonly memory?: string;
  readonly binding?: NonNullable<Output['binding']>;
  readonly rule: string;
  readonly source: string;
  /** `negative`: nothing may be captured or resumed. */
  readonly flags: readonly string[];
}

const finding = 'findings.md F5';
type Fields = Readonly<Record<string, unknown>>;

interface Part {
  readonly operation?: GateInput['operation'];
  /** Dotted paths into the honest input, and what stands there; undefined: nothing. */
  readonly set?: Fields;
  /** The stamp is made for the spec as it stands then. */
  readonly restamped?: true;
  readonly answers?: (honest: readonly Answer[]) => readonly Answer[];
  readonly elapsedMs?: number;
  readonly rule?: string;
}

/** Sets or takes away what a path names; a path that leads through nothing makes objects on its way. */
function put(target: Record<string, unknown>, path: string, value: unknown): void {
  const [first = '', ...rest] = path.split('.');
  if (rest.length > 0) {
    target[first] ??= {};
    put(target[first] as Record<string, unknown>, rest.join('.'), value);
  } else if (value === undefined) delete target[first];
  else target[first] = value;
}

function inputOf({ operation = 'resume', set = {}, restamped }: Part): GateInput {
  const input = structuredClone(new MemoryWorld().input(operation));
  for (const [path, value] of Object.entries(set)) put(input as Record<string, unknown>, path, value);
  const { spec } = (input.claim ?? {}) as { spec?: Fields };
  if (restamped === true) put(input as Record<string, unknown>, 'stamp.specHash', specHashOf(spec ?? {}));
  return input;
}

/** The questions that the finding wants asked about the stamp's author. */
function reviewsOf({ operation, stamp, workspace }: GateInput): Reviews {
  if (stamp?.principal == null) return [];
  const { namespace, name } = stamp.principal;
  const { username: user, uid, groups, extra } = stamp.author;
  const who = { user, uid, groups, extra };
  const impersonate = { verb: 'impersonate', group: '', resource: 'serviceaccounts', subresource: '', name };
  const reviews = [{ ...who, resourceAttributes: { namespace, ...impersonate } }];
  if (operation === 'capture') return reviews;
  const ws = (workspace as { metadata: { name: string } }).metadata.name;
  const resume = {
    verb: 'resume',
    group: 'mitos.run',
    resource: 'workspaces',
    subresource: 'memory',
    name: ws,
  };
  return [...reviews, { ...who, resourceAttributes: { namespace, ...resume } }];
}

const allowed = (reviews: Reviews): readonly Answer[] =>
  reviews.map((review) => ({ review, status: { allowed: true, reason: 'RBAC: allowed' } }));

function vector(
  id: string,
  comment: string,
  part: Part,
): Omit<ResumeVector, 'verdict' | 'reviews' | 'flags'> {
  const input = inputOf(part);
  return {
    id,
    comment,
    config: gateConfig,
    input,
    answers: part.answers?.(allowed(reviewsOf(input))) ?? null,
    elapsedMs: part.elapsedMs ?? 5,
    rule: part.rule ?? comment,
    source: finding,
  };
}

function serve(id: string, comment: string, part: Part = {}): ResumeVector {
  const made = vector(id, comment, part);
  const { operation, bindings, stamp, workspace } = made.input;
  const reviews = reviewsOf(made.input);
  if (operation === 'resume') {
    const { memory = '' } = bindings.find(({ memory: one }) => one === 'sha256:5a5a') ?? {};
    return { ...made, reviews, verdict: operation, memory, flags: [] };
  }
  const { namespace, name, uid } = (workspace as { metadata: NonNullable<GateInput['startedAs']> }).metadata;
  const principal = stamp?.principal ?? { namespace: '', name: '', uid: '' };
  return {
    ...made,
    reviews,
    verdict: operation,
    binding: { workspace: { namespace, name, uid }, principal },
    flags: [],
  };
}

/** Refused before anybody is asked. */
function refuse(id: string, comment: string, part: Part | Fields): ResumeVector {
  const made = vector(
    id,
    comment,
    'set' in part || 'operation' in part ? (part as Part) : { set: part as Fields },
  );
  return { ...made, reviews: null, verdict: 'refuse', flags: ['negative'] };
}

/** Refused for what the reviews say. */
function denied(id: string, comment: string, part: Part): ResumeVector {
  const made = vector(id, comment, part);
  return { ...made, reviews: reviewsOf(made.input), verdict: 'refuse', flags: ['negative'] };
}

const capture = { operation: 'capture' } as const;
const honest = inputOf({});
const [record] = honest.bindings;
const { uid: headUid } = (honest.head as { metadata: { uid: string } }).metadata;

function positives(): ResumeVector[] {
  const dotted = {
    'claim.spec.serviceAccount': 'build.bot',
    'stamp.principal.name': 'build.bot',
    'serviceAccount.metadata.name': 'build.bot',
    'bindings.0.principal.name': 'build.bot',
    'head.spec.memorySnapshotPrincipal': 'build.bot',
  };
  const another = { ...record, revisionUid: 'uid-another', memory: 'sha256:c3c3' };
  return [
    serve('resume/honest', 'admitted, bound, and both rights held now'),
    serve('capture/honest', 'a principal, and impersonate held now: resume is not asked', capture),
    serve('resume/name-with-dots', 'names of accounts are DNS-1123 subdomains', {
      set: dotted,
      restamped: true,
    }),
    serve('resume/other-records', 'records of other revisions do not matter', {
      set: { bindings: [another, record] },
    }),
    serve('resume/extra-and-groups', 'groups and extra are forwarded exactly', {
      set: { 'stamp.author.groups': [], 'stamp.author.extra': { 'scopes.example/only': ['all', ''] } },
    }),
    serve('resume/author-without-uid', 'users of some authenticators have no uid', {
      set: { 'stamp.author.uid': '' },
    }),
    serve('resume/denied-false', 'denied false and an empty evaluation error are no doubt', {
      answers: (list) =>
        list.map(({ review }) => ({ review, status: { allowed: true, denied: false, evaluationError: '' } })),
    }),
    serve('resume/at-the-deadline', 'the deadline is still in time', { elapsedMs: gateConfig.deadlineMs }),
    serve('resume/claim-being-deleted', 'what becomes of the claim is not the gate’s to say', {
      set: { 'claim.metadata.deletionTimestamp': '2026-11-25T10:00:00Z' },
    }),
    serve('capture/without-head', 'the first capture of a workspace', {
      ...capture,
      set: { 'workspace.status': undefined, bindings: [] },
    }),
    serve('capture/claim-being-deleted', 'checkpointOnTerminate', {
      ...capture,
      set: { 'claim.metadata.deletionTimestamp': '2026-11-25T10:00:00Z' },
    }),
  ];
}

function anonymous(): ResumeVector[] {
  const forms: readonly (readonly [string, unknown])[] = [
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
    ['number', 7],
    ['list', ['agent']],
    ['newline', 'agent\n'],
    ['capitals', 'Agent'],
    ['path', '../agent'],
    ['user-name', 'system:serviceaccount:team-a:agent'],
    ['too-long', 'a'.repeat(254)],
  ];
  return [
    ...forms.flatMap(([id, serviceAccount]) =>
      (['resume', 'capture'] as const).map((operation) =>
        refuse(`anonymous/${operation}-${id}`, `${operation}: the account of the claim is: ${id}`, {
          operation,
          set: { 'claim.spec.serviceAccount': serviceAccount },
          restamped: true,
          rule: 'no principal',
        }),
      ),
    ),
    refuse('anonymous/memory', 'memory and claim without a principal', {
      set: {
        'claim.spec.serviceAccount': undefined,
        'head.spec.memorySnapshotPrincipal': undefined,
        'stamp.principal': null,
        serviceAccount: null,
        bindings: [],
      },
      restamped: true,
    }),
    refuse('anonymous/binding', 'a record whose principal is nobody', {
      'bindings.0.principal': { namespace: '', name: '', uid: '' },
    }),
    refuse('anonymous/started', 'the sandbox was started without a principal', {
      ...capture,
      set: { startedAs: null },
    }),
  ];
}

const parts = [
  ['namespace', 'team-b'],
  ['name', 'other'],
  ['uid', 'uid-before'],
] as const;

function identities(): ResumeVector[] {
  return [
    ...parts.flatMap(([part, value]) => [
      refuse(`principal/account-${part}`, `the account now has another ${part}`, {
        [`serviceAccount.metadata.${part}`]: value,
      }),
      refuse(`principal/binding-${part}`, `the memory is of an account with another ${part}`, {
        [`bindings.0.principal.${part}`]: value,
      }),
      refuse(`principal/stamp-${part}`, `admission checked an account with another ${part}`, {
        [`stamp.principal.${part}`]: value,
      }),
      refuse(`principal/started-${part}`, `the sandbox was started for an account with another ${part}`, {
        ...capture,
        set: { [`startedAs.${part}`]: value },
      }),
    ]),
    refuse('principal/gone', 'the account is deleted', { serviceAccount: null }),
    refuse('principal/terminating', 'the account is being deleted', {
      'serviceAccount.metadata.deletionTimestamp': '2026-11-25T10:00:00Z',
    }),
  ];
}

function stamps(): ResumeVector[] {
  return [
    refuse('stamp/none', 'the claim was admitted without the check', { stamp: null, stampSeenOn: null }),
    refuse('stamp/namespace', 'the stamp of a claim in another namespace', { 'stamp.namespace': 'team-b' }),
    refuse('stamp/name', 'the stamp of another claim', { 'stamp.name': 'claim-2' }),
    refuse('stamp/spec', 'the spec was changed since', { 'claim.spec.poolRef': 'pool-of-eve' }),
    refuse('stamp/secrets-added', 'a Secret was added since', { 'claim.spec.secrets': [{ secretRef: 'x' }] }),
    refuse('stamp/hash-in-capitals', 'the hash is lower-case hex', {
      'stamp.specHash': String(honest.stamp?.specHash).toUpperCase(),
    }),
    refuse('stamp/copied', 'first seen on a claim that is gone', { stampSeenOn: 'uid-claim-before' }),
    refuse('stamp/unseen', 'the controller never noted where it was seen', { stampSeenOn: null }),
    refuse('stamp/no-author', 'nobody to ask about', { 'stamp.author.username': '' }),
    refuse('stamp/no-principal', 'admission checked no principal', { 'stamp.principal': null }),
  ];
}

function heads(): ResumeVector[] {
  const forged = { 'head.metadata.uid': 'uid-forged', 'workspace.status.head.uid': 'uid-forged' };
  return [
    refuse('head/forged', 'a revision with this memory and principal that a tenant created', forged),
    refuse('head/not-the-one', 'the status names another head', {
      'workspace.status.head.uid': 'uid-rev-later',
    }),
    refuse('head/none', 'the workspace has no head', { head: null, 'workspace.status': undefined }),
    refuse('head/memory', 'rewritten to another memory', { 'head.spec.memorySnapshot': 'sha256:0bad' }),
    refuse('head/principal', 'rewritten to another principal', {
      'head.spec.memorySnapshotPrincipal': 'other',
    }),
    refuse('head/namespace', 'of another namespace', { 'head.metadata.namespace': 'team-b' }),
    refuse('binding/lost', 'no record is left', { bindings: [] }),
    refuse('binding/another-revision', 'this memory was captured for another revision', {
      'bindings.0.revisionUid': 'uid-another',
    }),
    refuse('binding/twice', 'two memories for one revision', {
      bindings: [record, { ...record, memory: 'sha256:c3c3' }],
    }),
    refuse('binding/workspace', 'the workspace was made again under its name', {
      'workspace.metadata.uid': 'uid-new',
    }),
    refuse('binding/memory', 'tied to another memory', { 'bindings.0.memory': 'sha256:c3c3' }),
    refuse('workspace/namespace', 'of another namespace', { 'workspace.metadata.namespace': 'team-b' }),
    refuse('workspace/name', 'not the one that the claim names', { 'workspace.metadata.name': 'own' }),
    refuse('workspace/unnamed', 'the claim names no workspace', {
      set: { 'claim.spec.workspaceRef': undefined },
      restamped: true,
    }),
    refuse('workspace/capture-namespace', 'captured into another namespace', {
      ...capture,
      set: { 'workspace.metadata.namespace': 'team-b' },
    }),
  ];
}

function malformed(): ResumeVector[] {
  const values: readonly (readonly [string, unknown])[] = [
    ['null', null],
    ['text', 'agent'],
    ['number', 7],
    ['list', [{ metadata: {} }]],
    ['empty', {}],
    ['null-metadata', { metadata: null }],
    ['numbers', { metadata: { namespace: 1, name: 2, uid: 3 } }],
  ];
  return (['claim', 'workspace', 'head', 'serviceAccount'] as const).flatMap((object) =>
    values.map(([id, value]) =>
      refuse(`malformed/${object}-${id}`, `${object} is: ${id}`, { [object]: value }),
    ),
  );
}

function answers(): ResumeVector[] {
  const kebab = (text: string) => text.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const single = Object.entries(answerFaults).flatMap(([says, fault]) =>
    [0, 1].map((at) =>
      denied(`answers/${['impersonate', 'resume'][at]}-${kebab(says)}`, says, {
        answers: (list) => list.map((answer, index) => (index === at ? fault(answer) : answer)),
      }),
    ),
  );
  const whole = Object.entries(listFaults).map(([says, fault]) =>
    denied(`answers/${kebab(says)}`, says, { answers: fault }),
  );
  const late = [0.5, 1, 86_400_000].map((byMs) =>
    denied(`answers/late-by-${kebab(String(byMs))}-ms`, `every answer is yes, ${byMs} ms late`, {
      elapsedMs: gateConfig.deadlineMs + byMs,
    }),
  );
  return [...single, ...whole, ...late];
}

export function generate() {
  return {
    $schema: 'schemas/resume-cases.schema.json',
    corpus: 'resume-cases',
    version: 1,
    source: finding,
    notes: [
      'input is the case of resume-gate before anything was reviewed. If the gate wants reviews, they are asked and answers is what comes back after elapsedMs (null: yes to each), and verdict is what the gate says then.',
      `In the honest case alice holds impersonate on the account agent and resume on the memory of the workspace ws; the head is ${headUid}.`,
    ],
    vectors: [
      ...positives(),
      ...anonymous(),
      ...identities(),
      ...stamps(),
      ...heads(),
      ...answers(),
      ...malformed(),
    ],
  };
}
