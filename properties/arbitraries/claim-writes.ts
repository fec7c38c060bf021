/**
 * Updates of a claim that change nothing of its spec, and those that only look like it: by the controller, by
 * the garbage collector, by tenants.
 */
import * as fc from 'fast-check';
import type { Identity } from '../models/access-world.ts';
import {
  type ClaimObject,
  type ClaimRequest,
  controllerName,
  stampKey,
  steeringKey,
} from '../models/admission-review.ts';
import type { Disturbance } from '../models/admission-run.ts';
import { alice, collector, controller, mallory, specOf, tenant } from './admission-requests.ts';

const finalizer = 'mitos.run/husk';
const owner = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: 'owner',
  uid: 'uid-owner',
  blockOwnerDeletion: true,
};
const stamp = { [stampKey]: 'MAC.of-this-spec' };
const steering = { [steeringKey]: 'uid-revision-7' };

/** A claim as it stands: with a principal and a Secret, stamped, finalized, owned. */
export const standing: ClaimObject = {
  spec: specOf('builder', ['db']),
  annotations: stamp,
  labels: { app: 'agent' },
  finalizers: [finalizer, 'foregroundDeletion'],
  ownerReferences: [owner],
  status: { phase: 'Pending' },
};

export interface Write {
  readonly says: string;
  readonly author: Identity;
  readonly before: ClaimObject;
  readonly object: ClaimObject;
  readonly subResource?: string;
}

type Change = (claim: ClaimObject) => ClaimObject;

const withAnnotations =
  (more: Readonly<Record<string, string>>): Change =>
  (claim) => ({
    ...claim,
    annotations: { ...claim.annotations, ...more },
  });
const without =
  (key: string): Change =>
  (claim) => ({
    ...claim,
    annotations: Object.fromEntries(Object.entries(claim.annotations ?? {}).filter(([one]) => one !== key)),
  });
const withFinalizers =
  (finalizers: readonly string[]): Change =>
  (claim) => ({ ...claim, finalizers });
const withStatus: Change = (claim) => ({
  ...claim,
  status: { phase: 'Ready', endpoint: 'https://10.0.0.1:9091' },
});

/** What only the controller and the garbage collector do, and always may. */
export const narrowWrites: readonly Write[] = [
  narrow('its finalizer is added', controller, { ...standing, finalizers: [] }, withFinalizers([finalizer])),
  narrow('its finalizer comes off', controller, standing, withFinalizers(['foregroundDeletion'])),
  narrow('its metadata is written', controller, standing, withAnnotations(steering)),
  narrow('its metadata is taken away', controller, withAnnotations(steering)(standing), without(steeringKey)),
  narrow(
    'its metadata is changed',
    controller,
    withAnnotations(steering)(standing),
    withAnnotations({ [steeringKey]: '8' }),
  ),
  { ...narrow('its status is written', controller, standing, withStatus), subResource: 'status' },
  narrow('the owner is unblocked', collector, standing, (claim) => ({
    ...claim,
    ownerReferences: [{ ...owner, blockOwnerDeletion: false }],
  })),
  narrow('a dangling owner goes', collector, standing, (claim) => ({ ...claim, ownerReferences: [] })),
  narrow('its finalizer for the foreground goes', collector, standing, withFinalizers([finalizer])),
];

/** What anybody may do who may update claims: nothing that a principal protects is touched. */
export const harmlessChanges: readonly (readonly [string, Change])[] = [
  ['a label is added', (claim) => ({ ...claim, labels: { ...claim.labels, team: 'a' } })],
  ['labels go', (claim) => ({ ...claim, labels: {} })],
  ['an annotation is added', withAnnotations({ note: 'x' })],
  [
    'an annotation that only begins like one of the system',
    withAnnotations({ 'mitos.run/admission-stamps': 'x' }),
  ],
  ['finalizers come off', withFinalizers([])],
  ['a finalizer is added', withFinalizers([finalizer, 'foregroundDeletion', 'example.com/own'])],
  ['owners change', (claim) => ({ ...claim, ownerReferences: [] })],
  ['nothing changes', (claim) => claim],
  ['the status is sent along, and ignored by the API server', withStatus],
];

function narrow(says: string, author: Identity, before: ClaimObject, change: Change): Write {
  return { says, author, before, object: change(before) };
}

/** Almost the controller. */
export const lookAlikes: readonly Identity[] = [
  { ...controller, username: `${controllerName}2` },
  { ...controller, username: 'system:serviceaccount:team-a:mitos-controller' },
  { ...controller, username: `System${controllerName.slice('system'.length)}` },
  { ...controller, username: `${controllerName}\n` },
  { ...controller, username: 'mitos-controller' },
  { ...alice, groups: [...alice.groups, controllerName] },
  { ...alice, uid: controller.uid, extra: { username: [controllerName] } },
];

const notTheController = fc.oneof(
  { withCrossShrink: true },
  tenant,
  fc.constant(collector),
  fc.constantFrom(...lookAlikes),
);
const anybody = fc.oneof({ withCrossShrink: true }, notTheController, fc.constant(controller));

const unstamped: ClaimObject = { ...standing, annotations: {} };
const repointed: Change = (claim) => ({
  ...claim,
  spec: { ...claim.spec, workspaceRef: 'of-somebody-else' },
});

const forgedStamp = fc.constantFrom<Change>(
  withAnnotations({ [stampKey]: 'MAC.of-another-claim' }),
  withAnnotations({ [stampKey]: '' }),
  without(stampKey),
);
const forgedSteering = fc.constantFrom<Change>(
  withAnnotations(steering),
  withAnnotations({ 'workspace.mitos.run/': '' }),
  withAnnotations({ 'workspace.mitos.run/dehydrate': 'never' }),
);
const alongWith = fc.constantFrom<Change>(
  (claim) => claim,
  withFinalizers([finalizer]),
  withFinalizers([]),
  withStatus,
);

/** A write that must be denied though its author has every right on principals and Secrets. */
export const forgery: fc.Arbitrary<Write> = fc.oneof(
  fc
    .record({ author: anybody, change: forgedStamp, also: alongWith, repoints: fc.boolean() })
    .map((one) =>
      forged(
        'the stamp is changed',
        one.author,
        standing,
        one.repoints ? both(one.change, repointed) : one.change,
        one.also,
      ),
    ),
  fc
    .record({ author: anybody, also: alongWith })
    .map(({ author, also }) => forged('a stamp is brought', author, unstamped, withAnnotations(stamp), also)),
  fc
    .record({ author: notTheController, change: forgedSteering, also: alongWith })
    .map(({ author, change, also }) => forged('the workspace is steered', author, standing, change, also)),
  fc
    .record({ author: notTheController, also: alongWith })
    .map(({ author, also }) =>
      forged(
        'steering is taken away',
        author,
        withAnnotations(steering)(standing),
        without(steeringKey),
        also,
      ),
    ),
  fc
    .record({ author: notTheController, change: fc.constantFrom<Change>(withStatus, (claim) => claim) })
    .map(({ author, change }) => ({
      ...forged('the status is written', author, standing, change),
      subResource: 'status',
    })),
  fc.constantFrom<Write>(
    forged(
      'the spec is changed and the workspace steered at once',
      controller,
      standing,
      repointed,
      withAnnotations(steering),
    ),
    {
      ...forged('a spec comes with the status', controller, standing, repointed, withStatus),
      subResource: 'status',
    },
    {
      ...forged('a stamp comes with the status', controller, unstamped, withAnnotations(stamp)),
      subResource: 'status',
    },
    { ...forged('the scale is written', controller, standing, withStatus), subResource: 'scale' },
  ),
);

/** A change of the spec by the controller, or beside what the controller writes: allowed for who is entitled. */
export const repointing: fc.Arbitrary<Write> = fc
  .record({ author: fc.constantFrom(controller, mallory, ...lookAlikes), also: alongWith })
  .map(({ author, also }) => forged('the spec is changed', author, standing, repointed, also));

function both(first: Change, second: Change): Change {
  return (claim) => second(first(claim));
}

function forged(says: string, author: Identity, before: ClaimObject, change: Change, also?: Change): Write {
  const object = also === undefined ? change(before) : also(change(before));
  return { says, author, before, object };
}

/** The request of a write; a stamp or steering annotation may also be brought by a create. */
export function requestOf(write: Write, operation: 'CREATE' | 'UPDATE', dryRun: boolean): ClaimRequest {
  const { author, before, object, subResource } = write;
  const part = subResource === undefined ? {} : { subResource };
  return { operation, author, object, before: operation === 'CREATE' ? null : before, dryRun, ...part };
}

/** Whatever the API server says, or does not. */
export const anyDisturbance: fc.Arbitrary<Disturbance | null> = fc.option(
  fc.record({
    of: fc.constantFrom('impersonate', 'get', 'account'),
    how: fc.constantFrom('failed', 'timed-out', 'hangs'),
  }),
);
