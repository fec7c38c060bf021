/** Claims that are changed: by their authors, by the controller, by others. */
import {
  accounts,
  collector,
  controller,
  grant,
  mallory,
  specOf,
} from '../../../arbitraries/admission-requests.ts';
import { harmlessChanges, lookAlikes, narrowWrites, standing } from '../../../arbitraries/claim-writes.ts';
import { stampKey, steeringKey } from '../../../models/admission-review.ts';
import { type AdmissionVector, allow, builder, deny, named, nobody } from './admission-vector.ts';

export function updates(): AdmissionVector[] {
  const update = { operation: 'UPDATE', before: standing } as const;
  const repointed = { ...standing, spec: { ...standing.spec, workspaceRef: 'of-somebody-else' } };
  const all = [...builder, 'get db'];
  const annotated = (more: Readonly<Record<string, string>>) => ({
    ...standing,
    annotations: { ...standing.annotations, ...more },
  });
  const stripped = { ...standing, annotations: {} };
  const status = { ...standing, status: { phase: 'Ready' } };
  return [
    allow('update/spec', 'the spec changed by who is entitled', { ...update, object: repointed, asks: all }),
    ...harmlessChanges.map(([says, change]) =>
      allow(`update/${named(says)}`, says, {
        ...update,
        author: mallory,
        object: change(standing),
        world: nobody,
      }),
    ),
    ...narrowWrites.map(({ says, author, before, object, subResource }) =>
      allow(`update/narrow-${named(says)}`, says, {
        operation: 'UPDATE',
        author,
        before,
        object,
        world: nobody,
        ...(subResource === undefined ? {} : { subResource }),
      }),
    ),
    allow('update/delete', 'a DELETE asks for nothing', {
      operation: 'DELETE',
      object: null,
      before: standing,
    }),
    deny('update/ride', 'the workspace is repointed under a principal that stays', {
      ...update,
      author: mallory,
      object: repointed,
      world: nobody,
      asks: all,
    }),
    deny('update/ride-by-the-controller', 'the controller has no right of its own on principals', {
      ...update,
      author: controller,
      object: repointed,
      world: nobody,
      asks: all,
    }),
    deny('update/dropped', 'the principal is taken away and the workspace repointed', {
      ...update,
      author: mallory,
      object: { ...standing, spec: specOf(undefined, [], { workspaceRef: 'own' }) },
      world: nobody,
      asks: ['impersonate builder', 'get db'],
    }),
    allow('update/dropped-by-the-entitled', 'the principal is taken away by who may act as it', {
      ...update,
      object: { ...standing, spec: specOf(undefined) },
      asks: ['impersonate builder', 'get db'],
      stamped: false,
    }),
    deny('update/replaced', 'the principal is replaced by one that the author may act as', {
      ...update,
      object: { ...standing, spec: specOf('deployer') },
      world: {
        grants: [grant('user:alice', 'impersonate', ['deployer']), grant('user:alice', 'get', '*')],
        accounts,
      },
      asks: ['impersonate deployer', 'impersonate builder', 'account deployer', 'get db'],
    }),
    deny('stamp/brought', 'a new claim brings a stamp', { object: standing }),
    deny('stamp/changed', 'an update changes the stamp', {
      ...update,
      object: annotated({ [stampKey]: 'x' }),
    }),
    deny('stamp/removed', 'an update takes the stamp away', { ...update, object: stripped }),
    deny('stamp/by-the-controller', 'not even the controller writes it', {
      ...update,
      author: controller,
      object: annotated({ [stampKey]: 'x' }),
    }),
    deny('steering/by-the-author', 'a tenant steers the workspace', {
      ...update,
      object: annotated({ [steeringKey]: '7' }),
    }),
    deny('steering/by-the-collector', 'the garbage collector is not the controller', {
      ...update,
      author: collector,
      object: annotated({ [steeringKey]: '7' }),
    }),
    deny('status/by-the-author', 'a tenant writes the status', {
      ...update,
      object: status,
      subResource: 'status',
    }),
    ...lookAlikes.map((author, index) =>
      deny(`status/look-alike-${index}`, `almost the controller: ${JSON.stringify(author.username)}`, {
        ...update,
        author,
        object: status,
        subResource: 'status',
      }),
    ),
    deny('status/with-a-spec', 'the controller changes the spec with the status', {
      ...update,
      author: controller,
      object: { ...repointed, status: { phase: 'Ready' } },
      subResource: 'status',
    }),
    deny('subresource/scale', 'a subresource that claims do not have', {
      ...update,
      object: status,
      subResource: 'scale',
    }),
  ];
}
