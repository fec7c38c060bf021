/** The model of the API server keeps the contract that the real one keeps. */
import { describe, expect, test } from 'vitest';
import { ApiServerModel } from './api-server.ts';
import { apiServerContract } from './api-server-contract.ts';

describe('the model', () => {
  test.each(apiServerContract)('always keeps the contract: $says', ({ run }) => {
    expect(run(new ApiServerModel())).toBeNull();
  });

  test('only the garbage collector removes what names owners that are gone, by UID', () => {
    const server = new ApiServerModel();
    const owner = server.create({ kind: 'SandboxClaim', metadata: { namespace: 'a', name: 'claim' } });
    const uid = owner.ok ? owner.object.metadata.uid : '';
    const reference = { apiVersion: 'mitos.run/v1alpha1', kind: 'SandboxClaim', name: 'claim' };
    for (const [name, ownerUid] of [
      ['owned', uid],
      ['forged', 'uid-of-nobody'],
    ] as const) {
      server.create({
        kind: 'Secret',
        metadata: { namespace: 'a', name, ownerReferences: [{ ...reference, uid: ownerUid }] },
      });
    }
    server.collectGarbage();
    expect(server.list('Secret').items.map(({ metadata }) => metadata.name)).toEqual(['owned']);
    server.remove({ kind: 'SandboxClaim', namespace: 'a', name: 'claim' });
    server.collectGarbage();
    expect(server.list('Secret').items).toEqual([]);
  });
});

describe('the contract', () => {
  test('can fail: a store without locks breaks it', () => {
    class Lax extends ApiServerModel {
      override patch(...[ref, patch, options]: Parameters<ApiServerModel['patch']>) {
        const { subresource } = options ?? {};
        return super.patch(ref, patch, subresource === undefined ? {} : { subresource });
      }
    }
    const broken = apiServerContract.filter(({ run }) => run(new Lax()) !== null);
    expect(broken.length).toBe(2);
  });
});
