/** What a spec asks for and what a claim held before; annotations and status that are not its author’s. */
import { describe, expect, test } from 'vitest';
import { allowed, ask, claimOf, denied, type Fields, reviewOf } from './admission-samples.ts';

const specOf = (spec: unknown) => ask(reviewOf({ object: claimOf(spec) }));

const updated = (spec: unknown, before: unknown, fields: Fields = {}) =>
  ask(reviewOf({ operation: 'UPDATE', object: claimOf(spec), oldObject: claimOf(before), ...fields }));

const asks = (verdict: { questions: readonly { id: string }[] }) => verdict.questions.map(({ id }) => id);

describe('the principal of a spec', () => {
  test.each([
    7,
    true,
    {},
    [],
    'Builder',
    'a_b',
    'system:serviceaccount:x:y',
    '../*',
    'a..b',
    '.a',
    'a.',
    '-a',
    'a-',
    'a\n',
    `${'a.'.repeat(126)}ab`,
  ])('is never anything but a DNS-1123 name: %j', (serviceAccount) => {
    expect(specOf({ serviceAccount })).toEqual(
      denied(
        422,
        'principal: not a DNS-1123 name',
        'spec.serviceAccount: must be the name of a service account of this namespace: a-z, 0-9, - and ., at most 253 characters',
      ),
    );
  });

  test.each(['a', '0', 'a-b', 'a.b-c.0', `${'a.'.repeat(126)}a`])('may be %s', (serviceAccount) => {
    expect(asks(specOf({ serviceAccount }))).toEqual([
      `impersonate:${serviceAccount}`,
      `account:${serviceAccount}`,
    ]);
  });

  test.each([undefined, null, ''])('is none when it is %j', (serviceAccount) => {
    expect(specOf({ serviceAccount })).toEqual(allowed('names no principal and no Secret'));
  });
});

describe('a spec', () => {
  test.each([null, 7, 'x', []])('is never %j', (spec) => {
    expect(specOf(spec)).toEqual(denied(422, 'spec: unreadable', 'spec: must be an object with a poolRef'));
  });

  test('is never nested too deeply to be stamped', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 70; depth++) deep = [deep];
    expect(specOf({ serviceAccount: 'builder', deep })).toEqual(
      denied(422, 'spec: nested too deeply', 'spec: nested too deeply; flatten it'),
    );
    expect(updated({ deep }, { deep }).rule).toBe('names no principal and no Secret');
  });
});

describe('the Secrets of a spec', () => {
  const env = (valueFrom: unknown) => ({ env: [{ name: 'X', valueFrom }] });
  const key = (name: unknown) => ({ secretKeyRef: { name, key: 'k' } });
  const unreadable = (field: string) =>
    denied(
      422,
      'secret: its source is unreadable',
      `${field}: must be the name of a Secret of this namespace (DNS-1123), and the only source of its entry`,
    );

  test.each<[object, string]>([
    [{ secrets: 'db' }, 'spec.secrets[0].secretRef'],
    [{ secrets: { 0: { secretRef: 'db' } } }, 'spec.secrets[0].secretRef'],
    [{ secrets: [{ secretRef: 'db' }, { secretRef: 'D' }] }, 'spec.secrets[1].secretRef'],
    [{ secrets: [null] }, 'spec.secrets[0].secretRef'],
    [{ env: 'X' }, 'spec.env[0]'],
    [{ env: [{ name: 'X', value: '1' }, 'X'] }, 'spec.env[1]'],
    [env('db'), 'spec.env[0].valueFrom.secretKeyRef.name'],
    [env(key('D')), 'spec.env[0].valueFrom.secretKeyRef.name'],
    [env({}), 'spec.env[0].valueFrom.secretKeyRef.name'],
    [env({ fieldRef: {} }), 'spec.env[0].valueFrom.secretKeyRef.name'],
    [env({ ...key('db'), fieldRef: {} }), 'spec.env[0].valueFrom.secretKeyRef.name'],
  ])('are never read in part: %j', (spec, field) => {
    expect(specOf(spec)).toEqual(unreadable(field));
  });

  test('are always asked about once each, in order, wherever they stand', () => {
    const spec = {
      secrets: [{ secretRef: 'b' }, { secretRef: 'a' }, { secretRef: 'b' }],
      env: [
        { name: 'V', value: '1' },
        { name: 'N', valueFrom: null },
        { name: 'X', valueFrom: key('c') },
        { name: 'Y', valueFrom: key('a') },
      ],
    };
    expect(asks(specOf(spec))).toEqual(['get:a', 'get:b', 'get:c']);
    expect(specOf({ secrets: null, env: null })).toEqual(allowed('names no principal and no Secret'));
  });

  test.each(
    ['mitos-ca', 'x-sandbox-token', '-sandbox-token', 'sandbox-', 'sandbox-x'].filter(
      (name) => !/^-|-$/.test(name),
    ),
  )('are never the system’s own: %s', (secretRef) => {
    const verdict = denied(
      403,
      'secret: of the system itself',
      `spec.secrets: Secret "${secretRef}" belongs to the system and is given to nobody; name one of your own`,
    );
    expect(specOf({ secrets: [{ secretRef: 'db' }, { secretRef }] })).toEqual(verdict);
    expect(specOf(env(key(secretRef)))).toEqual(verdict);
  });

  test.each(['mitos-ca2', 'xmitos-ca', 'x-sandbox-token2', 'xsandbox-x', 'sandbox'])(
    'may be called %s',
    (secretRef) => {
      expect(asks(specOf({ secrets: [{ secretRef }] }))).toEqual([`get:${secretRef}`]);
    },
  );

  test('are never more than can be asked about', () => {
    const named = (...names: string[]) => ({ secrets: names.map((secretRef) => ({ secretRef })) });
    const verdict = denied(
      422,
      'secret: more than can be asked about',
      'spec.secrets: at most 3 Secrets; put what belongs together into one',
    );
    expect(asks(specOf(named('a', 'b', 'c')))).toHaveLength(3);
    expect(specOf(named('a', 'b', 'c', 'd'))).toEqual(verdict);
    expect(updated(named('a', 'b'), named('c', 'd'))).toEqual(verdict);
    expect(asks(updated(named('a', 'b'), named('b', 'c')))).toEqual(['get:a', 'get:b', 'get:c']);
  });
});

describe('what a claim held before', () => {
  test('is always asked about too, and leaves no stamp by itself', () => {
    const before = { serviceAccount: 'deployer', secrets: [{ secretRef: 'db' }] };
    expect(asks(updated({ serviceAccount: 'builder' }, before))).toEqual([
      'impersonate:builder',
      'impersonate:deployer',
      'account:builder',
      'get:db',
    ]);
    expect(asks(updated({ serviceAccount: 'deployer' }, before))).toEqual([
      'impersonate:deployer',
      'account:deployer',
      'get:db',
    ]);
    expect(asks(updated({}, before))).toEqual(['impersonate:deployer', 'get:db']);
    const bare = claimOf({}, { name: '' });
    const nameless = { name: '', object: bare, oldObject: claimOf(before, { name: '' }) };
    expect(ask(reviewOf({ operation: 'UPDATE', ...nameless })).verdict).toBe('review');
  });

  test.each<[string, unknown]>([
    ['what no admission can have granted', { serviceAccount: '../*', secrets: [{ secretRef: 'mitos-ca' }] }],
    ['Secrets that nobody could read', { secrets: [{ secretRef: 'D' }, { secretRef: 'db' }] }],
    ['nothing', null],
  ])('is never asked about when it is %s', (_, before) => {
    expect(updated({ poolRef: 'x' }, before)).toEqual(allowed('names no principal and no Secret'));
  });
});

describe('annotations', () => {
  const spec = { serviceAccount: 'builder' };
  const change = (before: unknown, after: unknown, fields: Fields = {}) =>
    ask(
      reviewOf({
        operation: 'UPDATE',
        object: claimOf(spec, { annotations: after }),
        oldObject: claimOf(spec, { annotations: before }),
        ...fields,
      }),
    );
  const stays = allowed('spec, stamp and steering annotations stay as they are');
  const stamp = denied(
    403,
    'stamp: written by admission alone',
    'metadata.annotations[mitos.run/admission-stamp]: admission writes it; leave it as it is, and leave it out of new claims',
  );
  const steering = denied(
    403,
    'steering annotation: written by the controller alone, and together with no spec',
    "metadata.annotations: those that begin with workspace.mitos.run/ are the controller's; leave them as they are",
  );
  const stamped = (value: unknown) => ({ 'mitos.run/admission-stamp': value });
  const steered = (value: unknown) => ({ other: 'x', 'workspace.mitos.run/head': value });

  test('of others may always change', () => {
    expect(change({ a: '1' }, { b: '2' })).toEqual(stays);
    expect(change(undefined, { 'xworkspace.mitos.run/head': '2' })).toEqual(stays);
    expect(change(stamped({ a: 1, b: 2 }), stamped({ b: 2, a: 1 }))).toEqual(stays);
    expect(change(steered('1'), steered('1'))).toEqual(stays);
  });

  test.each<[unknown, unknown]>([
    [undefined, stamped('x')],
    [stamped('x'), undefined],
    [stamped('x'), stamped('y')],
  ])('that stamp are never written by anybody: %j to %j', (before, after) => {
    expect(change(before, after)).toEqual(stamp);
    expect(change(before, after, { userInfo: { username: 'controller' } })).toEqual(stamp);
    if (before === undefined)
      expect(ask(reviewOf({ object: claimOf(spec, { annotations: after }) }))).toEqual(stamp);
  });

  test('that are nested too deeply are never the same', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 70; depth++) deep = [deep];
    expect(change(stamped(deep), stamped(deep))).toEqual(stamp);
  });

  test.each<[unknown, unknown]>([
    [undefined, steered('x')],
    [steered('x'), undefined],
    [steered('x'), steered('y')],
  ])('that steer are written by the controller alone, with no spec: %j to %j', (before, after) => {
    const byController = { userInfo: { username: 'controller' } };
    expect(change(before, after)).toEqual(steering);
    expect(change(before, after, byController)).toEqual(stays);
    const object = claimOf({ serviceAccount: 'other' }, { annotations: after });
    expect(change(before, after, { ...byController, object })).toEqual(steering);
  });
});

describe('a status', () => {
  const spec = { serviceAccount: 'builder' };
  const written = (fields: Fields = {}) =>
    ask(
      reviewOf({
        operation: 'UPDATE',
        subResource: 'status',
        object: claimOf(spec),
        oldObject: claimOf(spec),
        ...fields,
      }),
    );
  const foreign = denied(
    403,
    'status: written by the controller alone, and nothing with it',
    'request.subResource: the status of a claim is the controller’s; write its spec',
  );
  const byController = { userInfo: { username: 'controller' } };

  test('is only written by the controller, with nothing beside it', () => {
    expect(written(byController)).toEqual(allowed('status, written by the controller'));
    expect(written()).toEqual(foreign);
    expect(written({ ...byController, object: claimOf({}) })).toEqual(foreign);
    const object = claimOf(spec, { annotations: { 'workspace.mitos.run/head': 'x' } });
    expect(written({ ...byController, object }).rule).toBe(
      'steering annotation: written by the controller alone, and together with no spec',
    );
  });
});
