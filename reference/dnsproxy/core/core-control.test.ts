/** Policy, sandboxes and the end while questions are under way; what is bounded; what a killed proxy left. */
import { describe, expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import { a, question, reply } from '../sample-messages.ts';
import { CoreStage, guest, only, otherResolver, policy, resolver } from './core-stage.ts';
import { FakePins } from './fake-pins.ts';
import { PinRound } from './pin-round.ts';

const refused = 5;
const servFail = 2;

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
  return 'none';
}

describe('a change of policy', () => {
  const narrow = { ...policy, allow: ['*.wild.test:80'] };

  test('always takes back what only the old one justified, before it ends', () => {
    const stage = new CoreStage();
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14'));
    stage.reply(only(stage.ask('n.wild.test')), a('93.184.215.15'));
    stage.core.change('tap0', narrow);
    expect(stage.pinned()).toEqual(['tap0 93.184.215.15 tcp 80']);
  });

  test('always refuses what is under way and not allowed any more, and pins nothing for it', () => {
    const stage = new CoreStage();
    const gone = only(stage.ask('example.com', { id: 1 }));
    const kept = only(stage.ask('n.wild.test', { id: 2 }));
    stage.core.change('tap0', narrow);
    expect(stage.round()).toMatchObject([{ id: 1, rcode: refused }]);
    expect(stage.reply(gone, a('93.184.215.14'))).toEqual([]);
    expect(stage.reply(kept, a('93.184.215.15'))).toMatchObject([{ id: 2, rcode: 0 }]);
    expect(stage.pinned()).toEqual(['tap0 93.184.215.15 tcp 80']);
  });

  test('between a reply and the end of its round never leaves a pin of the old policy', () => {
    const stage = new CoreStage();
    const asked = only(stage.ask('example.com'));
    stage.io.reply(asked.socket, reply(asked.message, [a('93.184.215.14')]));
    stage.core.change('tap0', narrow);
    stage.round();
    expect(stage.pinned()).toEqual([]);
  });

  test('that is wrong changes nothing', () => {
    const stage = new CoreStage();
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14'));
    expect(codeOf(() => stage.core.change('tap0', { ...policy, allow: ['x y:1'] }))).toBe('bad-allow-entry');
    expect(codeOf(() => stage.core.change('tap0', { ...policy, denyCIDRs: ['10/8'] }))).toBe('bad-prefix');
    expect(codeOf(() => stage.core.change('tap9', policy))).toBe('no-sandbox');
    expect(stage.pinned()).toHaveLength(2);
    expect(stage.ask('example.com')).toHaveLength(1);
  });

  test('whose pins the kernel will not let go is said, and nothing is pinned until it succeeds', () => {
    const stage = new CoreStage();
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14'));
    stage.pins.failures.push(...Array.from({ length: 40 }, () => 'EBUSY'));
    expect(codeOf(() => stage.core.change('tap0', narrow))).toBe('pins-refused');
    stage.pins.failures.length = 0;
    expect(only(stage.reply(only(stage.ask('n.wild.test')), a('93.184.215.15'))).rcode).toBe(servFail);
    stage.core.detach('tap0');
    expect(stage.pinned()).toEqual([]);
    stage.attach('tap0', resolver, narrow);
    expect(only(stage.reply(only(stage.ask('n.wild.test')), a('93.184.215.15'))).rcode).toBe(0);
  });
});

describe('a sandbox', () => {
  test('that is detached leaves no pin, hears nothing, and its neighbour goes on', () => {
    const stage = new CoreStage();
    stage.attach('tap1', otherResolver);
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14'));
    const asked = only(stage.ask('n.wild.test', { id: 1 }));
    stage.ask('n.wild.test', { id: 2 }, { address: '10.0.0.6', port: 1 }, otherResolver);
    stage.core.detach('tap0');
    expect(stage.io.arrive(resolver, guest, question('example.com'))).toBe(false);
    expect(stage.reply(asked, a('93.184.215.15')).map(({ id }) => id)).toEqual([2]);
    expect(stage.pinned()).toEqual(['tap1 93.184.215.15 tcp 80']);
    expect(codeOf(() => stage.core.detach('tap0'))).toBe('no-sandbox');
    expect(stage.core.snapshot()).toMatchObject({ inFlight: 0, sandboxes: 1 });
  });

  test('that comes to a tap always finds its sets empty, whoever was there', () => {
    const stage = new CoreStage();
    stage.reply(only(stage.ask('example.com')), a('93.184.215.14'));
    stage.core.detach('tap0');
    stage.pins.run([
      {
        kind: 'add',
        tap: 'tap0',
        elements: [{ address: '9.9.9.9', protocol: 'tcp', port: 1, timeoutMs: 60_000 }],
      },
    ]);
    stage.core.attach({ tap: 'tap0', listen: [resolver], policy }, (endpoint) => stage.io.listen(endpoint));
    expect(stage.pinned()).toEqual([]);
  });

  test('never comes half: no socket is left when its sets are not there, or an address is taken', () => {
    const stage = new CoreStage();
    const attach = (tap: string, addresses: string[], own = policy) =>
      codeOf(() =>
        stage.core.attach(
          { tap, listen: addresses.map((address) => ({ address, port: 53 })), policy: own },
          (endpoint) => stage.io.listen(endpoint),
        ),
      );
    expect(attach('tap1', ['10.0.0.5'])).toBe('no-sandbox');
    stage.pins.makeSets('tap1', ['ipv4']);
    expect(attach('tap1', ['10.0.0.5'])).toBe('no-sandbox');
    expect(attach('tap1', ['10.0.0.5', '10.0.0.1'], { ...policy, ipv6: false })).toBe('address-taken');
    expect(attach('tap0', ['10.0.0.9'])).toBe('tap-taken');
    stage.pins.failures.push(...Array.from({ length: 40 }, () => 'EPERM'));
    expect(attach('tap1', ['10.0.0.5'], { ...policy, ipv6: false })).toBe('pins-refused');
    stage.pins.failures.length = 0;
    expect(attach('tap1', ['10.0.0.5'], { ...policy, ipv6: false })).toBe('none');
  });
});

describe('too much at once', () => {
  const limits = {
    maxInFlightPerClient: 2,
    maxInFlightPerSandbox: 3,
    maxInFlight: 4,
    complaintsPerSecond: 1,
  };
  const other = { address: '10.0.0.3', port: 1 };
  const neighbour = { address: '10.0.0.6', port: 1 };

  test('of one client is refused to that client alone, first by SERVFAIL, then by silence', () => {
    const stage = new CoreStage(limits);
    for (let id = 0; id < 5; id++) stage.put(`n${id}.wild.test`, { id });
    expect(stage.round()).toMatchObject([{ id: 2, rcode: servFail }]);
    expect(stage.takeAsked()).toHaveLength(2);
    expect(stage.ask('n9.wild.test', {}, other)).toHaveLength(1);
    expect(stage.count('queries', 'too many in flight of one client')).toBe(3);
  });

  test('of one sandbox never takes the place of its neighbour', () => {
    const stage = new CoreStage(limits);
    stage.attach('tap1', otherResolver);
    for (let id = 0; id < 2; id++) stage.put(`n${id}.wild.test`, { id });
    for (let id = 2; id < 4; id++) stage.put(`n${id}.wild.test`, { id }, other);
    stage.round();
    expect(stage.count('queries', 'too many in flight of one sandbox')).toBe(1);
    expect(stage.takeAsked()).toHaveLength(3);
    expect(stage.ask('n.wild.test', {}, neighbour, otherResolver)).toHaveLength(1);
    expect(stage.ask('m.wild.test', {}, neighbour, otherResolver)).toEqual([]);
    expect(stage.count('queries', 'too many in flight')).toBe(1);
  });

  test('gives every place back, however it ended', () => {
    const stage = new CoreStage({ ...limits, maxAttempts: 1 });
    for (let time = 0; time < 3; time++) {
      const [first, second] = [only(stage.ask('a.wild.test')), only(stage.ask('b.wild.test'))];
      stage.reply(first, a('93.184.215.14'));
      stage.io.reply(second.socket, reply(second.message, [], { flags: 0x8183 }));
      stage.round();
      expect(stage.ask('c.wild.test')).toHaveLength(1);
      stage.round(1_000);
    }
    expect(stage.core.snapshot()).toMatchObject({ inFlight: 0, exchanges: 0 });
  });

  test('of addresses of one sandbox is bounded, and idle ones make room', () => {
    const stage = new CoreStage({ maxClientsPerSandbox: 2, complaintsPerSecond: 1 });
    const from = (last: number) => ({ address: `10.0.0.${last}`, port: 1 });
    const first = only(stage.ask('a.wild.test', {}, from(10)));
    stage.ask('b.wild.test', {}, from(11));
    expect(stage.ask('c.wild.test', {}, from(12))).toEqual([]);
    expect(stage.count('queries', 'too many addresses of one sandbox')).toBe(1);
    stage.reply(first, a('93.184.215.14'));
    expect(stage.ask('c.wild.test', {}, from(12))).toHaveLength(1);
  });
});

describe('the log', () => {
  test('of refusals is bounded a second, says what it left out, and holds nothing but printable ASCII', () => {
    const stage = new CoreStage({ refusalsLoggedPerSecond: 2 });
    for (let index = 0; index < 5; index++) stage.put(`evil"\n\u00e9${index}.test`);
    stage.round();
    expect(stage.log).toHaveLength(2);
    expect(stage.log[0]).toMatchObject({
      name: 'evil\\034\\010\\2330.test',
      tap: 'tap0',
      client: '10.0.0.2',
    });
    expect(stage.io.round(stage.nowMs)).toBe(1_000);
    stage.round(1_000);
    expect(stage.log[2]).toMatchObject({ what: 'refusals left out of the log', leftOut: 3 });
    expect(stage.count('refusals-not-logged', 'rate')).toBe(3);
    stage.put('evil.test');
    stage.round();
    expect(stage.log[3]).toMatchObject({ name: 'evil.test' });
    expect(stage.log[3]).not.toHaveProperty('leftOut');
  });
});

describe('the end', () => {
  test('comes when everything under way is answered, and nothing new is heard meanwhile', () => {
    const stage = new CoreStage();
    const asked = only(stage.ask('example.com'));
    let drained = 0;
    stage.core.drain(() => {
      drained += 1;
    });
    expect(stage.ask('n.wild.test')).toEqual([]);
    expect(drained).toBe(0);
    expect(stage.reply(asked, a('93.184.215.14'))).toHaveLength(1);
    expect(drained).toBe(1);
    stage.round(10_000);
    expect(drained).toBe(1);
  });

  test('never waits beyond its deadline', () => {
    const stage = new CoreStage({ drainMs: 300 });
    stage.ask('example.com');
    let drained = false;
    stage.core.drain(() => {
      drained = true;
    });
    expect(stage.io.round(stage.nowMs)).toBe(300);
    stage.round(300);
    expect(drained).toBe(true);
  });
});

describe('what a killed proxy left', () => {
  test('is always taken back when the next one starts, in both families', () => {
    const pins = new FakePins();
    pins.makeSets('tap0');
    pins.makeSets('tap1');
    const add = (tap: string, address: string) =>
      ({ kind: 'add', tap, elements: [{ address, protocol: 'tcp', port: 1, timeoutMs: 60_000 }] }) as const;
    pins.run([add('tap0', '9.9.9.9'), add('tap0', '2606:4700::1'), add('tap1', '9.9.9.9')]);
    const limits = {
      maxElementsPerSet: 8,
      ttlFloorSeconds: 30,
      ttlCeilingSeconds: 300,
      maxRequestsInFlight: 8,
    };
    const round = new PinRound<null>(
      pins,
      limits,
      () => performance.now(),
      () => undefined,
    );
    expect(round.reconcile().sort()).toEqual(['tap0', 'tap1']);
    expect(pins.read()).toEqual([]);
    pins.run([add('tap0', '9.9.9.9')]);
    pins.failures.push(...Array.from({ length: 40 }, () => 'EPERM'));
    expect(codeOf(() => round.reconcile())).toBe('pins-refused');
  });
});
