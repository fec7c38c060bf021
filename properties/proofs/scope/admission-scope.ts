/**
 * The finite sets of admission requests for which authorize-claim is proved: who writes what over what, with
 * which rights; and what the API server answers.
 */
import { accounts, alice, controller, grant, specOf } from '../../arbitraries/admission-requests.ts';
import type { Identity } from '../../models/access-world.ts';
import { type ClaimObject, type Spec, stampKey, steeringKey } from '../../models/admission-review.ts';
import type { Disturbance } from '../../models/admission-run.ts';
import { type AdmissionScene, scopedDown } from '../../oracles/admission-verdict.ts';
import { combinations } from './combinations.ts';

interface Draft {
  readonly operation: string;
  readonly subResource?: string;
  readonly dryRun?: boolean;
  readonly author: Identity;
  readonly spec: Spec;
  readonly before: Spec;
  readonly metadata: Partial<Record<'before' | 'after', Partial<ClaimObject>>>;
  readonly impersonate: readonly string[];
  readonly get: readonly string[];
  /** Whom the rights are granted to; by group in half of the scope. */
  readonly to: string;
  readonly accounts: AdmissionScene['world']['accounts'];
  readonly disturbance: Disturbance | null;
}

export interface AdmissionChoice {
  readonly says: string;
  readonly apply: (draft: Draft) => Draft;
}

export interface ScopedAdmission {
  readonly scene: AdmissionScene;
  readonly faults: readonly string[];
}

const first: Draft = {
  operation: 'UPDATE',
  author: alice,
  spec: specOf('builder', ['db'], { timeout: 1 }),
  before: specOf('builder', ['db'], { timeout: 1 }),
  metadata: {},
  impersonate: ['builder', 'deployer'],
  get: ['db', 'api-key', 'mitos-ca', 'claim-2-sandbox-token'],
  to: 'user:alice',
  accounts,
  disturbance: null,
};

const keep: AdmissionChoice = { says: 'as it is', apply: (draft) => draft };
const set = (says: string, fields: Partial<Draft>): AdmissionChoice => ({
  says,
  apply: (draft) => ({ ...draft, ...fields }),
});
const fields = (says: string, spec: Spec): AdmissionChoice => ({
  says,
  apply: (draft) => ({ ...draft, spec: without({ ...draft.spec, ...spec }) }),
});
const formerly = (says: string, spec: Spec): AdmissionChoice => ({
  says,
  apply: (draft) => ({ ...draft, before: without({ ...draft.before, ...spec }) }),
});

function without(spec: Spec): Spec {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
}

const secret = (name: string) => [{ name, secretRef: name }];
const fromEnv = { env: [{ name: 'DB', valueFrom: { secretKeyRef: { name: 'db', key: 'k' } } }] };
/** In a group of the controller's name; groups in no order. */
const impostor: Identity = {
  ...alice,
  username: 'system:serviceaccount:team-a:mitos-controller',
  groups: ['system:serviceaccounts', controller.username, 'dev'],
};
const annotated = (key: string, value: string) => ({ annotations: { [key]: value } });

const writes: readonly AdmissionChoice[] = [
  keep,
  set('of the status', { subResource: 'status' }),
  set('a creation', { operation: 'CREATE' }),
  set('a creation, dry run', { operation: 'CREATE', dryRun: true }),
  set('a creation of the status', { operation: 'CREATE', subResource: 'status' }),
  set('of an unknown subresource', { subResource: 'scale' }),
  set('a deletion', { operation: 'DELETE' }),
  set('a connection', { operation: 'CONNECT' }),
];
const authors: readonly AdmissionChoice[] = [
  keep,
  set('by the controller', { author: controller, to: `user:${controller.username}` }),
  set('by a service account named alike', { author: impostor, to: `user:${impostor.username}` }),
  set('by a token that is scoped down', { author: scopedDown(alice) }),
  set('with rights by group', { to: 'group:dev' }),
];
const specs: readonly (readonly AdmissionChoice[])[] = [
  [
    keep,
    fields('asks for no principal', { serviceAccount: undefined }),
    fields('asks for another principal', { serviceAccount: 'deployer' }),
    fields('asks for a principal that is no name', { serviceAccount: '*' }),
  ],
  [
    keep,
    fields('asks for no Secret', { secrets: undefined }),
    fields('asks for the Secret by env', { secrets: undefined, ...fromEnv }),
    fields('asks for a Secret of the system', { secrets: secret('mitos-ca') }),
    fields('asks for the token of another claim', { secrets: secret('claim-2-sandbox-token') }),
  ],
  [keep, fields('lives longer', { timeout: 2 })],
];
const formers: readonly (readonly AdmissionChoice[])[] = [
  [
    keep,
    formerly('had no principal', { serviceAccount: undefined }),
    formerly('had another principal', { serviceAccount: 'deployer' }),
  ],
  [
    keep,
    formerly('had no Secret', { secrets: undefined }),
    formerly('had another Secret', { secrets: secret('api-key') }),
  ],
];
const metadata: readonly AdmissionChoice[] = [
  keep,
  set('a finalizer comes off', { metadata: { before: { finalizers: ['mitos.run/husk'] } } }),
  set('brings a stamp', { metadata: { after: annotated(stampKey, 'forged') } }),
  set('takes the stamp away', { metadata: { before: annotated(stampKey, 'MAC') } }),
  set('takes steering away', { metadata: { before: annotated(steeringKey, 'r7') } }),
  set('steers', { metadata: { after: annotated(steeringKey, 'r7') } }),
];
const rights: readonly AdmissionChoice[] = [
  keep,
  set('may nothing', { impersonate: [], get: [] }),
  set('may not act as builder', { impersonate: ['deployer'] }),
  set('may not act as deployer', { impersonate: ['builder'] }),
  set('may not get db', { get: ['api-key'] }),
  set('may not get api-key', { get: ['db'] }),
];
const known: readonly AdmissionChoice[] = [
  keep,
  set('builder is no account', { accounts: accounts.filter(({ name }) => name !== 'builder') }),
  set('builder is an account elsewhere', {
    accounts: accounts.filter((one) => one.name !== 'builder' || one.namespace !== 'team-a'),
  }),
];
const badReviews: readonly (readonly [says: string, Omit<Disturbance, 'of'>])[] = [
  ['failed', { how: 'failed' }],
  ['hangs', { how: 'hangs' }],
  ['is lost', { how: 'lost' }],
  ['is not found', { how: 'not-found' }],
  ['is allowed beside denied', { how: 'answered', body: { allowed: true, denied: true } }],
  [
    'is allowed beside an error',
    { how: 'answered', body: { allowed: true, evaluationError: 'webhook down' } },
  ],
  ['is allowed as text', { how: 'answered', body: { allowed: 'true' } }],
  ['is nothing', { how: 'answered', body: null }],
];
const elsewhere = { metadata: { namespace: 'team-b', name: 'builder', uid: 'uid-x' } };
const answers: readonly AdmissionChoice[] = [
  keep,
  set('the answer on account is one of another namespace', {
    disturbance: { of: 'account', how: 'answered', body: elsewhere },
  }),
  ...(['impersonate', 'account', 'get'] as const).flatMap((of) =>
    badReviews.map(([says, how]) => set(`the answer on ${of} ${says}`, { disturbance: { of, ...how } })),
  ),
];

/** Everything that is written over everything, by everybody, with every right; answers are honest. */
const writing = [writes, authors, ...specs, ...formers, metadata, rights];
/** Every answer to every question that a change of a spec raises. */
const answering = [
  specs[0] ?? [],
  specs[1] ?? [],
  ...formers,
  [keep, set('a creation', { operation: 'CREATE' })],
  rights,
  known,
  answers,
];

export function* admissions(maxFaults: number): Generator<ScopedAdmission, void, undefined> {
  for (const lists of [writing, answering]) {
    for (const { chosen, faults } of combinations(lists, maxFaults)) {
      const draft = chosen.reduce((before, { apply }) => apply(before), first);
      // What stood before a claim is created says nothing.
      if (draft.operation === 'CREATE' && draft.before !== first.before) continue;
      yield { scene: sceneOf(draft), faults };
    }
  }
}

function sceneOf(draft: Draft): AdmissionScene {
  const { operation, subResource, dryRun, author, spec, before, disturbance } = draft;
  const after = operation === 'DELETE' ? null : { spec, ...draft.metadata.after };
  return {
    request: {
      operation,
      author,
      object: after,
      before: operation === 'CREATE' ? null : { spec: before, ...draft.metadata.before },
      ...(subResource === undefined ? {} : { subResource }),
      ...(dryRun === undefined ? {} : { dryRun }),
    },
    world: {
      grants: [grant(draft.to, 'impersonate', draft.impersonate), grant(draft.to, 'get', draft.get)],
      accounts: draft.accounts,
    },
    disturbance,
  };
}

/** The scope in words, counted. */
export function admissionScope(): string[] {
  const count = (lists: readonly (readonly unknown[])[]) => lists.map((list) => list.length).join(' × ');
  return [
    `${count(writing)}: operation and subresource; author; principal, Secrets and another field asked for; principal and Secret held ` +
      'before; stamp, steering and finalizer; rights. The API server answers as RBAC is',
    `${count(answering)}: principal and Secrets asked for and held before, created or updated; rights; whether the account exists; what ` +
      'comes instead of the answer to one kind of question',
  ];
}
