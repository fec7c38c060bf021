/** Claims and forks as strangers may have written them: what is no status is an empty one. */
import { describe, expect, test } from 'vitest';
import { objectNameOf, ownerView, seatOf } from './owner-view.ts';

const metadata = { uid: 'u', resourceVersion: '7' };
const pod = { namespace: 'n', name: 'p', uid: 'pod-uid' };

describe('an owner', () => {
  test('is never one of another UID, or without a version', () => {
    expect(ownerView({ metadata }, 'u')).not.toBeNull();
    for (const object of [null, 7, {}, { metadata: { ...metadata, uid: 'x' } }, { metadata: { uid: 'u' } }]) {
      expect(ownerView(object, 'u')).toBeNull();
    }
    for (const resourceVersion of ['', 7, null]) {
      expect(ownerView({ metadata: { uid: 'u', resourceVersion } }, 'u')).toBeNull();
    }
  });

  test('is always read with what it says, and nothing that it does not', () => {
    expect(ownerView({ metadata }, 'u')).toEqual({
      resourceVersion: '7',
      deleting: false,
      finalizers: [],
      finalized: false,
      createdMs: null,
      spec: undefined,
      status: undefined,
    });
    const whole = {
      ...metadata,
      deletionTimestamp: '2026-11-24T00:00:01Z',
      creationTimestamp: '1970-01-01T00:00:02Z',
      finalizers: ['a', 7, 'mitos.run/husk', null],
    };
    expect(ownerView({ metadata: whole, spec: 1, status: 2 }, 'u')).toEqual({
      resourceVersion: '7',
      deleting: true,
      finalizers: ['a', 'mitos.run/husk'],
      finalized: true,
      createdMs: 2_000,
      spec: 1,
      status: 2,
    });
    const odd = {
      ...metadata,
      deletionTimestamp: '',
      creationTimestamp: 'never',
      finalizers: 'mitos.run/husk',
    };
    expect(ownerView({ metadata: odd }, 'u')).toMatchObject({
      deleting: false,
      createdMs: null,
      finalized: false,
    });
  });
});

describe('a seat', () => {
  const empty = { holder: 'h', phase: 'Pending', husk: null, attempts: 0, spent: [], token: null };

  test.each([
    undefined,
    null,
    7,
    'Ready',
    [],
    {},
    { phase: 'Terminated' },
    { phase: 7 },
    { phase: '' },
    { husk: 'x', token: 'y', spent: 'z', attempts: 'w' },
  ])('is always empty when its status is %j', (status) => {
    expect(seatOf('h', status)).toEqual(empty);
  });

  test.each(['Pending', 'Restoring', 'Ready', 'Failed'])(
    'is always in the phase %s that it says',
    (phase) => {
      expect(seatOf('h', { phase })).toEqual({ ...empty, phase });
    },
  );

  test('is always read with its husk, token and what it gave up', () => {
    const status = {
      husk: { pod, by: 'c', attempt: 2 },
      attempts: 3,
      spent: ['a', 7, 'b'],
      token: { name: 't', uid: 'v', more: 1 },
    };
    expect(seatOf('h', status)).toEqual({
      ...empty,
      husk: { pod, by: 'c', attempt: 2 },
      attempts: 3,
      spent: ['a', 'b'],
      token: { name: 't', uid: 'v' },
    });
  });

  test('never has half a husk or half a token', () => {
    for (const husk of [{ pod }, { by: 'c' }, { pod, by: '' }, { pod: { ...pod, uid: '' }, by: 'c' }]) {
      expect(seatOf('h', { husk })).toEqual(empty);
    }
    for (const token of [{ name: 't' }, { uid: 'v' }, { name: '', uid: 'v' }, { name: 't', uid: 7 }]) {
      expect(seatOf('h', { token })).toEqual(empty);
    }
  });

  test.each([0, -1, 1.5, '2', null, 2 ** 53, Number.NaN])('never counts %j as attempts', (attempts) => {
    expect(seatOf('h', { attempts }).attempts).toBe(0);
    expect(seatOf('h', { husk: { pod, by: 'c', attempt: attempts } }).husk?.attempt).toBe(0);
  });

  test('always counts from one on', () => {
    expect(seatOf('h', { attempts: 1 }).attempts).toBe(1);
  });
});

describe('a name of an object', () => {
  test('is only one with all three parts', () => {
    expect(objectNameOf({ ...pod, more: 1 })).toEqual(pod);
    for (const part of ['namespace', 'name', 'uid']) {
      for (const value of [undefined, null, '', 7])
        expect(objectNameOf({ ...pod, [part]: value })).toBeNull();
    }
    expect(objectNameOf(null)).toBeNull();
  });
});
