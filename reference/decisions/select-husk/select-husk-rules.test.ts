/** Selection rule by rule: one field wrong at a time, each refused by its name; nothing but the right pod reached. */
import { describe, expect, test } from 'vitest';
import type { HuskRecord } from '#reference/contract/husk.ts';
import { podSpecHash } from './pod-view.ts';
import { type SelectionCase, selectHusk } from './select-husk.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type Changes = Readonly<Record<string, Json | undefined>>;

const pool = { namespace: 'pools', name: 'python', uid: 'pool-uid' };
const owner = {
  apiVersion: 'mitos.run/v1',
  kind: 'SandboxPool',
  name: 'python',
  uid: 'pool-uid',
  controller: true,
  blockOwnerDeletion: true,
};
const spec = { nodeName: 'worker-1', containers: [{ name: 'husk', image: 'mitos/husk' }] };
const metadata = {
  namespace: 'pools',
  name: 'python-husk-1',
  uid: 'pod-uid',
  resourceVersion: '7',
  labels: { 'mitos.run/husk': 'true', 'mitos.run/pool': 'python' },
  ownerReferences: [owner],
};
const ready = { type: 'Ready', status: 'True' };
const status = {
  phase: 'Running',
  conditions: [{ type: 'PodScheduled', status: 'False' }, ready],
  podIP: '10.1.0.7',
  podIPs: [{ ip: '10.1.0.7' }, { ip: 'fd00::7' }],
  hostIP: '192.168.0.1',
  containerStatuses: [{ name: 'husk', restartCount: 0 }],
};
interface PodChanges {
  readonly metadata?: Changes;
  readonly spec?: Changes;
  readonly status?: Changes;
}
const pod = (changes: PodChanges = {}) => ({
  metadata: { ...metadata, ...changes.metadata },
  spec: { ...spec, ...changes.spec },
  status: { ...status, ...changes.status },
});
const record: HuskRecord = {
  pod: { namespace: 'pools', name: 'python-husk-1', uid: 'pod-uid' },
  pool,
  specHash: podSpecHash(spec) ?? '',
  holder: null,
  resourceVersion: '1',
};
const held = (holder: string | null): HuskRecord[] => [{ ...record, holder }];

const select = (changes: Partial<SelectionCase> = {}) =>
  selectHusk({
    pool,
    pods: [pod()],
    ledger: [record],
    operation: 'activate',
    holder: 'claim-uid',
    podUid: null,
    ...changes,
  });
const ruleFor = (one: unknown, changes: Partial<SelectionCase> = {}) => {
  const selection = select({ pods: [one], ...changes });
  return selection.verdict === 'select' ? 'selected' : selection.refusals.map(({ rule }) => rule).join();
};
const owned = (...ownerReferences: Json[]) => pod({ metadata: { ownerReferences } });
const labelled = (labels: Changes) =>
  pod({ metadata: { labels: { ...metadata.labels, ...labels } as { [name: string]: Json } } });
const addressed = (podIP: Json | undefined, podIPs?: Json) => pod({ status: { podIP, podIPs } });

describe('the right pod', () => {
  test('is always selected with what a write must name, and its canonical address', () => {
    expect(select()).toEqual({
      verdict: 'select',
      pod: {
        namespace: 'pools',
        name: 'python-husk-1',
        uid: 'pod-uid',
        resourceVersion: '7',
        address: '10.1.0.7',
      },
      refusals: [],
      rule: 'in the ledger, owned, unchanged, ready',
    });
    expect(select({ pods: [addressed('FD00:0::07')] }).pod?.address).toBe('fd00::7');
  });

  test.each<[string, unknown, Partial<SelectionCase>]>([
    ['whose node was chosen meanwhile', pod({ spec: { nodeName: 'worker-2' } }), {}],
    ['whose Ready condition is True twice', pod({ status: { conditions: [ready, ready] } }), {}],
    ['with one address alone', addressed('10.1.0.7'), {}],
    ['whose addresses stand in podIPs alone', addressed(undefined, [{ ip: '10.1.0.7' }]), {}],
    ['whose podIP is empty', addressed('', [{ ip: '10.1.0.7' }]), {}],
    ['whose podIP is null', addressed(null, [{ ip: '10.1.0.7' }]), {}],
    ['of a pool whose group has another version', owned({ ...owner, apiVersion: 'mitos.run/v2beta1' }), {}],
    ['with an owner that does not control it', owned({ ...owner, controller: false, uid: 'x' }, owner), {}],
    ['with no ephemeral container', pod({ status: { ephemeralContainerStatuses: [] } }), {}],
    [
      'with an init container that ran once',
      pod({ status: { initContainerStatuses: [{ name: 'init', restartCount: 0 }] } }),
      {},
    ],
    ['held by who asks, its label gone', pod(), { podUid: 'pod-uid', ledger: held('claim-uid') }],
    [
      'labelled for who asks',
      labelled({ 'mitos.run/claim': 'claim-uid' }),
      { podUid: 'pod-uid', ledger: held('claim-uid') },
    ],
    ['whose claim label is no text', labelled({ 'mitos.run/claim': 7 }), {}],
    ['with a deletion timestamp of null', pod({ metadata: { deletionTimestamp: null } }), {}],
  ])('is always selected: one %s', (_, one, changes) => {
    expect(ruleFor(one, changes)).toBe('selected');
  });
});

describe('another pod', () => {
  test.each<[string, unknown, Partial<SelectionCase>]>([
    ['ledger: this UID was not created by the controller', pod({ metadata: { uid: 'planted' } }), {}],
    ['ledger: of another name', pod({ metadata: { name: 'python-husk-2' } }), {}],
    ['ledger: of another name', pod({ metadata: { namespace: 'other' } }), {}],
    ['ledger: of another pool', pod(), { pool: { ...pool, uid: 'other' } }],
    ['ledger: of another pool', pod(), { pool: { ...pool, namespace: 'other' } }],
    ['not the pod that is asked for', pod(), { podUid: 'other', ledger: held('claim-uid') }],
    ['ledger: held already', pod(), { ledger: held('other') }],
    ['ledger: held already', pod(), { ledger: held('claim-uid') }],
    ['ledger: held by another', pod(), { podUid: 'pod-uid', ledger: held('other') }],
    ['ledger: held by another', pod(), { podUid: 'pod-uid' }],
    ['label: names another claim', labelled({ 'mitos.run/claim': 'other' }), {}],
    ['label: names another claim', labelled({ 'mitos.run/claim': '' }), {}],
    ['label: no husk', labelled({ 'mitos.run/husk': 'false' }), {}],
    ['label: no husk', labelled({ 'mitos.run/husk': undefined }), {}],
    ['label: of another pool', labelled({ 'mitos.run/pool': 'other' }), {}],
  ])('is always refused: %s', (rule, one, changes) => {
    expect(ruleFor(one, changes)).toBe(rule);
  });

  test.each(['namespace', 'name', 'uid', 'resourceVersion'])(
    'without a %s is always refused, by its place',
    (field) => {
      for (const value of [undefined, null, '', 7]) {
        const nameless = pod({ metadata: { [field]: value } });
        expect(select({ pods: [nameless, nameless] }).refusals).toEqual(
          expect.arrayContaining(
            [0, 1].map((at) => ({ pod: `#${at}`, rule: 'no namespace, name, uid or resourceVersion' })),
          ),
        );
      }
    },
  );
});

describe('an owner', () => {
  test.each<[string, unknown]>([
    ['owner: no controller reference', owned()],
    ['owner: no controller reference', pod({ metadata: { ownerReferences: undefined } })],
    ['owner: no controller reference', owned({ ...owner, controller: false })],
    ['owner: no controller reference', owned({ ...owner, controller: 'true' })],
    ['owner: more than one controller reference', owned(owner, owner)],
    ['owner: more than one controller reference', owned(owner, { ...owner, uid: 'x' })],
    ['owner: of another API group', owned({ ...owner, apiVersion: 'apps/v1' })],
    ['owner: of another API group', owned({ ...owner, apiVersion: 'mitos.run' })],
    ['owner: of another API group', owned({ ...owner, apiVersion: 7 })],
    ['owner: of another API group', owned({ ...owner, apiVersion: 'x/mitos.run/v1' })],
    ['owner: of another kind', owned({ ...owner, kind: 'ReplicaSet' })],
    ['owner: of another name', owned({ ...owner, name: 'other' })],
    ['owner: of another UID', owned({ ...owner, uid: 'other' })],
    ['owner: blockOwnerDeletion is not true', owned({ ...owner, blockOwnerDeletion: false })],
    ['owner: blockOwnerDeletion is not true', owned({ ...owner, blockOwnerDeletion: 'true' })],
  ])('is always compared in every part: %s', (rule, one) => {
    expect(ruleFor(one)).toBe(rule);
  });
});

describe('a state', () => {
  test.each<[string, unknown]>([
    ['terminating', pod({ metadata: { deletionTimestamp: '2026-11-24T00:00:00Z' } })],
    ['not Running', pod({ status: { phase: 'Pending' } })],
    ['not Running', pod({ status: { phase: undefined } })],
    ['not Ready', pod({ status: { conditions: [] } })],
    ['not Ready', pod({ status: { conditions: [{ type: 'Ready', status: 'False' }] } })],
    ['not Ready', pod({ status: { conditions: [ready, { type: 'Ready', status: 'Unknown' }] } })],
    ['not Ready', pod({ status: { conditions: [{ type: 'ContainersReady', status: 'True' }] } })],
    ['drift: ephemeral container', pod({ status: { ephemeralContainerStatuses: [{ name: 'debug' }] } })],
    [
      'drift: restarted container',
      pod({ status: { containerStatuses: [{ name: 'husk', restartCount: 1 }] } }),
    ],
    ['drift: restarted container', pod({ status: { containerStatuses: [{ name: 'husk' }] } })],
    [
      'drift: restarted container',
      pod({ status: { initContainerStatuses: [{ name: 'init', restartCount: 2 }] } }),
    ],
    ['drift: spec', pod({ spec: { hostNetwork: true } })],
    ['drift: spec', pod({ spec: { containers: [{ name: 'husk', image: 'attacker/husk' }] } })],
  ])('is always refused by its name: %s', (rule, one) => {
    expect(ruleFor(one)).toBe(rule);
  });

  test('whose spec has no hash is never the recorded one, not even by an empty record', () => {
    const bare = { ...pod(), spec: 'none' };
    expect(ruleFor(bare)).toBe('drift: spec');
    expect(podSpecHash('none')).toBeNull();
    let deep: unknown = 'end';
    for (let depth = 0; depth < 100; depth++) deep = [deep];
    expect(podSpecHash({ deep })).toBeNull();
    expect(podSpecHash(spec)).toBe(podSpecHash({ containers: spec.containers }));
  });
});

describe('an address', () => {
  test.each<[string, Json]>([
    ['address: none', 'host'],
    ['address: none', 7],
    ['address: unspecified', '0.0.0.0'],
    ['address: unspecified', '0.1.2.3'],
    ['address: loopback', '127.0.0.1'],
    ['address: link-local', '169.254.1.1'],
    ['address: multicast', '224.0.0.1'],
    ['address: multicast', '239.255.255.255'],
    ['address: reserved or broadcast', '240.0.0.1'],
    ['address: reserved or broadcast', '255.255.255.255'],
    ['address: multicast', 'ff02::1'],
    ['address: link-local or site-local', 'fe80::1'],
    ['address: link-local or site-local', 'fec0::1'],
    ['address: link-local or site-local', 'feff::1'],
    ['address: unspecified, loopback or an IPv4 in disguise', '::'],
    ['address: unspecified, loopback or an IPv4 in disguise', '::1'],
    ['address: unspecified, loopback or an IPv4 in disguise', '::ffff:10.1.0.7'],
    ['address: unspecified, loopback or an IPv4 in disguise', '::10.1.0.7'],
  ])('of a pod is never dialled when it is %s: %j', (rule, ip) => {
    expect(ruleFor(addressed(ip, [{ ip }]))).toBe(rule);
    expect(ruleFor(addressed(ip))).toBe(rule);
    // Not as the second of its addresses either.
    expect(ruleFor(addressed('10.1.0.7', [{ ip: '10.1.0.7' }, { ip }]))).toBe(rule);
  });

  test.each([
    '1.0.0.1',
    '126.0.0.1',
    '128.0.0.1',
    '169.253.1.1',
    '170.254.1.1',
    '223.255.255.255',
    'fd00::1',
    'fd80::1',
    'fe00::1',
    'fe7f::1',
    '2001:db8::1',
    '0:0:0:0:1::',
    '1::1',
  ])('of a pod may be %s', (ip) => expect(ruleFor(addressed(ip, [{ ip }]))).toBe('selected'));

  test('that is absent is always refused', () => {
    expect(ruleFor(addressed(undefined))).toBe('address: none');
    expect(ruleFor(addressed('', [{}]))).toBe('address: none');
  });

  test.each<[string, Json]>([
    ['as podIP', { podIP: '10.1.0.7' }],
    ['among its podIPs', { podIP: '10.9.9.9', podIPs: [{ ip: '10.9.9.9' }, { ip: '10.1.0.7' }] }],
    ['in another notation', { podIP: 'FD00:0:0::0007' }],
  ])('that another pod names %s is never dialled', (_, other) => {
    const neighbour = {
      metadata: { namespace: 'pools', name: 'n', uid: 'n', resourceVersion: '1' },
      status: other,
    };
    const refusals = select({ pods: [pod(), neighbour] }).refusals;
    expect(refusals).toContainEqual({ pod: 'pools/python-husk-1', rule: 'address: of another pod too' });
  });

  test('is never taken for another pod’s that has ended, nor for its own named twice', () => {
    for (const phase of ['Succeeded', 'Failed']) {
      const neighbour = { status: { phase, podIP: '10.1.0.7' } };
      expect(select({ pods: [neighbour, pod()] }).verdict).toBe('select');
    }
    const running = { status: { phase: 'Running', podIP: '10.1.0.7' } };
    expect(select({ pods: [running, pod()] }).verdict).toBe('refuse');
    expect(ruleFor(addressed('fd00::7', [{ ip: 'fd00::7' }, { ip: 'FD00::7' }]))).toBe('selected');
  });
});

describe('an address of its own', () => {
  const neighbourAt = (podIP: string) => ({ status: { phase: 'Running', podIP } });
  const verdictBeside = (own: string, other: string) =>
    select({ pods: [addressed(own, [{ ip: own }]), neighbourAt(other)] }).verdict;

  test('is never taken for one that differs in any one octet', () => {
    const groups = ['2001', '2002', '2003', '2004', '2005', '2006', '2007', '2008'];
    for (const index of groups.keys()) {
      const group = groups[index] ?? '';
      for (const changed of [`21${group.slice(2)}`, `${group.slice(0, 2)}ff`]) {
        const other = groups.with(index, changed).join(':');
        expect(verdictBeside(groups.join(':'), other), other).toBe('select');
      }
    }
    expect(verdictBeside(groups.join(':'), groups.join(':'))).toBe('refuse');
  });

  test('is never taken for one of the other family with the same octets', () => {
    expect(verdictBeside('10.1.0.7', 'a01:7::')).toBe('select');
    expect(verdictBeside('a01:7::', '10.1.0.7')).toBe('select');
  });

  test('is always compared whatever its length, and beside what is none', () => {
    // The longest text that an address has.
    const longest = '2001:0db8:0000:0000:0000:0000:255.255.255.255';
    expect(verdictBeside('2001:db8::ffff:ffff', longest)).toBe('refuse');
    for (const odd of ['x:y', ':', `${longest}0`, 'host'])
      expect(verdictBeside('fd00::7', odd)).toBe('select');
  });

  test.each<[string, Changes]>([
    ['hostIP', { hostIP: '10.1.0.7' }],
    ['one of its hostIPs', { hostIP: '192.168.0.1', hostIPs: [{ ip: '192.168.0.1' }, { ip: '10.1.0.7' }] }],
    [
      'one of its hostIPs, in another notation',
      { podIP: 'fd00::7', podIPs: [{ ip: 'fd00::7' }], hostIPs: [{ ip: 'FD00:0::7' }] },
    ],
  ])('is never that of its node: %s', (_, own) => {
    expect(ruleFor(pod({ status: own }))).toBe('address: of its node');
  });
});

describe('a container that nobody reports', () => {
  test('is always drift, also beside one that is reported', () => {
    const containers = [...spec.containers, { name: 'more', image: 'x' }];
    const grown = { ...spec, containers };
    const ledger = [{ ...record, specHash: podSpecHash(grown) ?? '' }];
    const both = [...status.containerStatuses, { name: 'more', restartCount: 0 }];
    expect(ruleFor(pod({ spec: grown }), { ledger })).toBe('drift: a container without status');
    expect(ruleFor(pod({ spec: grown, status: { containerStatuses: both } }), { ledger })).toBe('selected');
  });
});

describe('the order', () => {
  const many = Array.from({ length: 7 }, (_, index) => ({
    metadata: { namespace: 'pools', name: `p${index}`, uid: `u${index}`, resourceVersion: '1' },
  }));
  const orderFor = (holder: string) => select({ pods: many, holder }).refusals.map(({ pod: name }) => name);

  test('always looks at every pod once, from a place that the holder decides', () => {
    for (const holder of ['', 'a', 'b', 'claim-uid', 'x'.repeat(200)]) {
      const order = orderFor(holder);
      const start = Number(order[0]?.slice('pools/p'.length));
      expect(order).toEqual(many.map((_, index) => `pools/p${(start + index) % many.length}`));
    }
    expect(new Set(Array.from({ length: 60 }, (_, index) => orderFor(`claim-${index}`)[0])).size).toBe(7);
  });

  test('is always that of FNV-1a over the first 64 characters', () => {
    // Test vectors of FNV-1a, 32 bit: "" 811c9dc5, "a" e40c292c, "foobar" bf9cf968.
    const places = ['', 'a', 'foobar'].map((holder) => Number(orderFor(holder)[0]?.slice('pools/p'.length)));
    expect(places).toEqual([0x811c9dc5 % 7, 0xe40c292c % 7, 0xbf9cf968 % 7]);
    expect(orderFor('x'.repeat(64))).toEqual(orderFor(`${'x'.repeat(64)}tail`));
  });

  test('of refusals is always that of the look, and a selection ends it', () => {
    const selection = select({ pods: [many[0], pod()], holder: '' });
    expect(selection.verdict).toBe('select');
    expect(selection.refusals.length).toBeLessThan(2);
    expect(select({ pods: [] })).toEqual({
      verdict: 'refuse',
      pod: null,
      refusals: [],
      rule: 'no pod is left',
    });
    expect(select({ pods: [null] })).toMatchObject({ verdict: 'refuse', pod: null, rule: 'no pod is left' });
  });
});
