/**
 * authorize-workspace: who writes workspaces, revisions, their status and what steers hydrate and dehydrate.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';

export const authorizeWorkspace = defineDecision({
  name: 'authorize-workspace',
  summary:
    'An AdmissionReview on a Workspace, a WorkspaceRevision or what steers workspaces in a SandboxClaim: may this user write it?',
  config: Type.Object(
    {
      controllers: Type.Array(Type.String(), { description: 'user names of the controller, exactly' }),
      collectors: Type.Array(Type.String(), {
        description: 'user names of the garbage collector and the namespace controller, exactly',
      }),
    },
    { additionalProperties: false },
  ),
  input: Type.Object(
    { review: Type.Unknown({ description: 'the whole AdmissionReview (admission.k8s.io/v1)' }) },
    { additionalProperties: false },
  ),
  output: Type.Object({
    verdict: Type.Union([Type.Literal('allow'), Type.Literal('deny')]),
    rule: Type.String(),
  }),
  equality: ['verdict'],
  example: {
    config: {
      controllers: ['system:serviceaccount:mitos-system:controller'],
      collectors: [
        'system:serviceaccount:kube-system:generic-garbage-collector',
        'system:serviceaccount:kube-system:namespace-controller',
      ],
    },
    input: {
      review: {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        request: {
          uid: 'uid-request',
          kind: { group: 'mitos.run', version: 'v1alpha1', kind: 'Workspace' },
          resource: { group: 'mitos.run', version: 'v1alpha1', resource: 'workspaces' },
          namespace: 'team-a',
          name: 'ws',
          operation: 'CREATE',
          userInfo: { username: 'alice', groups: ['system:authenticated'] },
          object: {
            apiVersion: 'mitos.run/v1alpha1',
            kind: 'Workspace',
            metadata: { namespace: 'team-a', name: 'ws' },
            spec: { size: '1Gi' },
          },
          oldObject: null,
        },
      },
    },
  },
});
