/** A husk on the fake VMM: the contract, the order of its steps, and every step that fails. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import { huskContract } from './husk-contract.ts';
import { FakeHuskGround } from './husk-ground.ts';

huskContract(() => FakeHuskGround.open());

const policy = { egress: 'deny', allow: ['*.ok.test:443'], inbound: [] } as const;
const secrets = [{ name: 'key', value: 'not for everybody', path: '/run/secrets/key' }];

let ground: FakeHuskGround;
beforeAll(async () => {
  ground = await FakeHuskGround.open();
});
afterAll(() => ground.close());

describe('the steps of a husk', () => {
  test('come in one order always: closed tap; policy, resolver, reseed, release, secrets; then VM, resolver, tap', async () => {
    const husk = ground.husk();
    await husk.prepare(ground.snapshot);
    expect(ground.asked).toEqual(['datapath open']);
    await husk.activate({ policy, secrets });
    const activated = [
      'datapath change',
      'resolver attach',
      'notify_forked',
      'release',
      'write',
      'data',
      'data',
    ];
    expect(ground.asked.slice(1)).toEqual(activated);
    await husk.end();
    expect(ground.asked.slice(1 + activated.length)).toEqual([
      'datapath cut off',
      'resolver detach',
      'datapath reap',
    ]);
    expect(await ground.left()).toEqual([]);
  });

  test('are never taken twice, nor out of their order', async () => {
    const husk = ground.husk();
    const refused = { code: 'husk-not-dormant' };
    await expect(husk.activate({ policy, secrets })).rejects.toMatchObject(refused);
    const [first, ...others] = await Promise.allSettled([
      husk.prepare(ground.snapshot),
      husk.prepare(ground.snapshot),
      husk.activate({ policy, secrets }),
    ]);
    expect(first.status).toBe('fulfilled');
    expect(others).toMatchObject([{ reason: refused }, { reason: refused }]);
    expect(ground.asked).toEqual(['datapath open']);
    await husk.end();
    expect(await ground.left()).toEqual([]);
  });

  test('that prepare it when it is ended are ended with it, however long the VMM takes', async () => {
    const { vmm } = ground;
    const prepare = vmm.prepare.bind(vmm);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    vmm.prepare = async (...parameters) => {
      for (let each = 0; each < 10; each++) await turn();
      return prepare(...parameters);
    };
    try {
      for (const turns of [0, 1, 5, 9, 10, 11, 20]) {
        const husk = ground.husk();
        const preparing = husk.prepare(ground.snapshot).catch((error: unknown) => error);
        for (let each = 0; each < turns; each++) await turn();
        await husk.end();
        await preparing;
        expect(husk.phase).toBe('ended');
        expect(await ground.left()).toEqual([]);
      }
    } finally {
      vmm.prepare = prepare;
    }
  });

  test('that are under way when it is ended are ended with it', async () => {
    for (const turns of [0, 1, 2, 5, 20]) {
      const husk = ground.husk();
      await husk.prepare(ground.snapshot);
      const activating = husk.activate({ policy, secrets }).catch((error: unknown) => error);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      await husk.end();
      await activating;
      expect(husk.phase).toBe('ended');
      expect(await ground.left()).toEqual([]);
    }
  });
});

describe('the steps of a husk, when one fails,', () => {
  for (const step of ['datapath open', 'datapath change', 'resolver attach']) {
    test(`never leave anything: ${step}`, async () => {
      const husk = ground.husk();
      ground.failing.add(step);
      const whole = husk.prepare(ground.snapshot).then(() => husk.activate({ policy, secrets }));
      await expect(whole).rejects.toMatchObject({ code: 'ruleset-refused' });
      ground.failing.clear();
      expect(husk.phase).toBe('ended');
      expect(ground.asked).not.toContain('notify_forked');
      expect(await ground.left()).toEqual([]);
    });
  }

  test('never leave anything: the VMM cannot prepare', async () => {
    const husk = ground.husk();
    ground.vmm.failures.push(new CodedError('vmm-failed', 'told to fail', 'nothing'));
    await expect(husk.prepare(ground.snapshot)).rejects.toMatchObject({ code: 'vmm-failed' });
    expect(await ground.left()).toEqual([]);
  });
});

describe('steps of a husk', () => {
  test('that cannot be undone are named, and the others are undone all the same', async () => {
    const husk = ground.husk();
    await husk.prepare(ground.snapshot);
    await husk.activate({ policy, secrets: [] });
    ground.failing.add('resolver detach');
    await expect(husk.end()).rejects.toMatchObject({ code: 'fork-not-reaped' });
    ground.failing.clear();
    expect(await ground.left()).toEqual(['resolver of tap-a']);
    await expect(husk.ended).rejects.toMatchObject({ code: 'fork-not-reaped' });
  });

  test('lead to no secret when the guest lies to the gate', async () => {
    for (const lie of ['boolean', 'unchanged generator'] as const) {
      const husk = ground.husk();
      ground.guest.lies.push(lie);
      await husk.prepare(ground.snapshot);
      await expect(husk.activate({ policy, secrets })).rejects.toMatchObject({ code: 'fork-refused' });
      expect(ground.asked).not.toContain('write');
      expect(ground.vmm.live).toBe(0);
    }
  });

  test('are refused for a template whose eth0 has another address than the sandbox', async () => {
    const { manifest } = ground.snapshot;
    const machine = { ...manifest.machine, guestMac: '02:00:00:00:00:99' };
    const husk = ground.husk();
    const other = { ...ground.snapshot, manifest: { ...manifest, machine } };
    await expect(husk.prepare(other)).rejects.toMatchObject({ code: 'bad-network' });
    expect(ground.asked).toEqual([]);
  });
});

describe('a policy that changes in a husk', () => {
  const next = { egress: 'deny', allow: ['*.next.test:443'], inbound: [] } as const;
  const active = async () => {
    const husk = ground.husk();
    await husk.prepare(ground.snapshot);
    await husk.activate({ policy, secrets: [] });
    ground.asked.length = 0;
    return husk;
  };
  const failing = async (code: string, ...calls: string[]) => {
    const husk = await active();
    for (const call of calls) ground.failing.add(call);
    ground.failWith(code);
    const said: unknown = await husk.change(next).catch((error: unknown) => error);
    ground.failing.clear();
    ground.failWith('ruleset-refused');
    return { husk, said };
  };

  test('changes the resolver first, so that no pin of the old one holds a flow, and then the datapath', async () => {
    const husk = await active();
    await husk.change(next);
    expect(ground.asked).toEqual(['resolver change', 'datapath change']);
    await Promise.all([husk.change(policy), husk.change(next)]);
    expect(ground.asked.slice(2)).toEqual([
      'resolver change',
      'datapath change',
      'resolver change',
      'datapath change',
    ]);
    await husk.end();
    expect(await ground.left()).toEqual([]);
    await expect(husk.change(next)).rejects.toMatchObject({ code: 'not-released' });
  });

  test('is refused while the husk is dormant', async () => {
    const husk = ground.husk();
    await husk.prepare(ground.snapshot);
    await expect(husk.change(next)).rejects.toMatchObject({ code: 'not-released' });
    expect(ground.asked).not.toContain('resolver change');
    await husk.end();
  });

  test.each([
    ['bad-allow-entry', ['resolver change 1'], ['resolver change']],
    ['bad-network', ['datapath change 1'], ['resolver change', 'datapath change', 'resolver change']],
  ])('and is none (%s) leaves the old one in force', async (code, calls, asked) => {
    const { husk, said } = await failing(code, ...calls);
    expect(said).toMatchObject({ code });
    expect(ground.asked).toEqual(asked);
    expect(husk.phase).toBe('active');
    await husk.change(next);
    await husk.end();
    expect(await ground.left()).toEqual([]);
  });

  test.each([
    ['the resolver', 'pins-refused', ['resolver change']],
    ['the datapath', 'ruleset-refused', ['datapath change']],
    ['the way back to the old one', 'bad-network', ['datapath change', 'resolver change 2']],
  ])('ends the husk when %s fails: nothing passes any more', async (_what, code, calls) => {
    const { husk, said } = await failing(code, ...calls);
    expect(said).toMatchObject({ code });
    expect(husk.phase).toBe('ended');
    expect(ground.asked).toContain('datapath cut off');
    expect(await ground.left()).toEqual([]);
  });

  test('while the husk is ended is ended with it', async () => {
    const husk = await active();
    const changing = husk.change(next).catch((error: unknown) => error);
    await husk.end();
    expect(await changing).toMatchObject({ code: expect.stringMatching(/not-released|no-sandbox/) });
    expect(await ground.left()).toEqual([]);
  });
});
