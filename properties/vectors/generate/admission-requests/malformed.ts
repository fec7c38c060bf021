/** Reviews that are none of a claim, or unreadable. */
import { foreignEnvelopes, specOf } from '../../../arbitraries/admission-requests.ts';
import { stampKey } from '../../../models/admission-review.ts';
import { type AdmissionVector, deny, named } from './admission-vector.ts';

export function malformed(): AdmissionVector[] {
  const says = 'malformed';
  const request = (id: string, comment: string, fields: Readonly<Record<string, unknown>>) =>
    deny(`malformed/${id}`, comment, { envelope: { says, request: fields } });
  const claim = { apiVersion: 'mitos.run/v1alpha1', kind: 'SandboxClaim', spec: specOf('builder') };
  const metadata = { name: 'claim', namespace: 'team-a' };
  return [
    ...foreignEnvelopes.map((envelope) =>
      deny(`foreign/${named(envelope.says)}`, envelope.says, { envelope }),
    ),
    request('connect', 'an operation that claims do not have', { operation: 'CONNECT' }),
    request('no-operation', 'no operation', { operation: undefined }),
    request('no-namespace', 'no namespace', { namespace: undefined }),
    request('no-user', 'nobody sent it', { userInfo: undefined }),
    request('user-without-name', 'a user without a name', {
      userInfo: { uid: 'uid-alice', groups: ['dev'] },
    }),
    request('groups-as-text', 'groups that are no list', { userInfo: { username: 'alice', groups: 'dev' } }),
    request('group-of-another-type', 'a group that is no text', {
      userInfo: { username: 'alice', groups: ['dev', 7] },
    }),
    request('extra-as-list', 'extra that is no map', {
      userInfo: { username: 'alice', extra: [['scopes']] },
    }),
    request('extra-value-as-text', 'a value of extra that is no list', {
      userInfo: { username: 'alice', extra: { scopes: 'user:full' } },
    }),
    request('no-object', 'a create of nothing', { object: null }),
    request('object-as-list', 'an object that is a list', { object: [claim] }),
    request('metadata-null', 'metadata that is null', { object: { ...claim, metadata: null } }),
    request('annotations-as-list', 'annotations that are a list', {
      object: { ...claim, metadata: { ...metadata, annotations: [stampKey] } },
    }),
    request('object-of-another-kind', 'an object of another kind', {
      object: { ...claim, kind: 'SandboxFork', metadata },
    }),
    request('object-of-another-name', 'an object of another name', {
      object: { ...claim, metadata: { ...metadata, name: 'other' } },
    }),
    request('spec-as-list', 'a spec that is a list', { object: { ...claim, metadata, spec: ['builder'] } }),
    request('update-without-old', 'an update of nothing', { operation: 'UPDATE', oldObject: null }),
  ];
}
