/** Known packets through small rulesets: what decides, and that what is not understood never accepts. */
import { describe, expect, test } from 'vitest';
import { connectionOf } from './connection.ts';
import { Decider, type KnownPacket } from './decide.ts';
import { accept, drop, field, guestFrame, listing, match, read, topology } from './fixtures.ts';
import type { Json } from './json/values.ts';
import { NotUnderstood, type Ruleset } from './ruleset.ts';

function decide(ruleset: Ruleset, packet: Omit<KnownPacket, 'device'>, device: string | null = 'tap0') {
  return new Decider(ruleset, topology).decide({ device, ...packet }).outcome;
}

const input = (rules: readonly (readonly Json[])[], policy: 'accept' | 'drop' = 'drop') =>
  read(listing('inet', [{ name: 'in', hook: 'input', policy, rules }]));

describe('a packet', () => {
  const resolver = input([
    [match(field('ip', 'saddr'), '10.1.0.2'), match(field('udp', 'dport'), 53), accept],
  ]);

  test('is delivered only where a rule accepts it', () => {
    expect(decide(resolver, { frame: guestFrame() }).kind).toBe('delivered');
    expect(decide(resolver, { frame: guestFrame({ port: 54 }) }).kind).toBe('dropped');
    expect(decide(resolver, { frame: guestFrame({ source: '10.1.0.0' }) }).kind).toBe('dropped');
    expect(decide(resolver, { frame: guestFrame({ source: 'fe80::2', destination: 'fe80::1' }) }).kind).toBe(
      'dropped',
    );
  });

  test('is forwarded by the route of its destination, and dropped where the hook says so', () => {
    const out = decide(resolver, { frame: guestFrame({ destination: '8.8.8.8' }) });
    expect([out.kind, out.device?.name]).toEqual(['left', 'eth0']);
    const closed = read(listing('inet', [{ name: 'f', hook: 'forward', policy: 'drop', rules: [] }]));
    expect(decide(closed, { frame: guestFrame({ destination: '8.8.8.8' }) }).kind).toBe('dropped');
  });

  test('follows jump, goto, return and verdict maps as the kernel does', () => {
    const vmap: Json = {
      vmap: { key: { meta: { key: 'iifname' } }, data: { set: [['tap0', { jump: { target: 'taps' } }]] } },
    };
    const taps = {
      name: 'taps',
      rules: [[match(field('udp', 'dport'), 53), { return: null }], [{ goto: { target: 'end' } }]],
    };
    const end = { name: 'end', rules: [] };
    const base = { name: 'in', hook: 'input', policy: 'drop' as const, rules: [[vmap], [accept]] };
    const ruleset = read(listing('inet', [end, taps, base]));
    expect(decide(ruleset, { frame: guestFrame() }).kind).toBe('delivered');
    // goto leaves no way back into `taps`, but jump into `taps` comes back: the next rule accepts.
    expect(decide(ruleset, { frame: guestFrame({ port: 80 }) }).kind).toBe('delivered');
  });

  test('of an established flow is translated back, and accepted by its state', () => {
    const ruleset = read(
      listing('inet', [
        {
          name: 'f',
          hook: 'forward',
          policy: 'drop',
          rules: [[match({ ct: { key: 'state' } }, ['established', 'related'], 'in'), accept]],
        },
        { name: 'post', hook: 'postrouting', type: 'nat', priority: 100, rules: [[{ masquerade: null }]] },
      ]),
    );
    const tuple = { protocol: 17, sourcePort: 53, destinationPort: 40_000 };
    const connection = connectionOf({
      state: 'established',
      reply: true,
      original: {
        ...tuple,
        source: '10.1.0.2',
        destination: '8.8.8.8',
        sourcePort: 40_000,
        destinationPort: 53,
      },
      replies: { ...tuple, source: '8.8.8.8', destination: '172.20.0.10' },
    });
    const frame = guestFrame({ source: '8.8.8.8', destination: '172.20.0.10' });
    frame[5] = 2;
    const out = decide(ruleset, { frame, connection }, 'eth0');
    expect([out.kind, out.device?.name]).toEqual(['left', 'tap0']);
  });
});

describe('at ingress', () => {
  const guard = (rules: readonly (readonly Json[])[]) =>
    read(listing('netdev', [{ name: 'i', hook: 'ingress', device: 'tap0', policy: 'accept', rules }]));

  test('a VLAN tag of identifier 0 hides a packet from the EtherType, never from the IP layer', () => {
    const ruleset = guard([[match(field('ether', 'type'), 'ip'), drop]]);
    expect(decide(ruleset, { frame: guestFrame() }).kind).toBe('dropped');
    const tagged = guestFrame({ tags: [{ type: 0x8100, control: 0 }] });
    expect(decide(ruleset, { frame: tagged }).kind).toBe('delivered');
    const other = guestFrame({ tags: [{ type: 0x8100, control: 5 }] });
    expect(decide(ruleset, { frame: other }).kind).toBe('refused');
  });

  test('a second tag hides the addresses as well', () => {
    const ruleset = guard([[match(field('ip', 'saddr'), '10.1.0.2'), drop]]);
    const tag = { type: 0x88a8, control: 0 };
    expect(decide(ruleset, { frame: guestFrame({ tags: [tag] }) }).kind).toBe('dropped');
    expect(decide(ruleset, { frame: guestFrame({ tags: [tag, tag] }) }).kind).toBe('delivered');
  });

  test('a later fragment is read as if it had ports', () => {
    const ruleset = guard([[match(field('udp', 'dport'), 53), drop]]);
    expect(decide(ruleset, { frame: guestFrame({ fragment: 0x0003 }) }).kind).toBe('dropped');
    expect(decide(ruleset, { frame: guestFrame({ fragment: 0x0003, port: 54 }) }).kind).toBe('held');
  });
});

describe('what is not understood', () => {
  test('never accepts: the error names the expression and its rule', () => {
    const ruleset = input([[{ xt: { type: 'match', name: 'u32' } }, accept]]);
    expect(() => decide(ruleset, { frame: guestFrame() })).toThrow(NotUnderstood);
    expect(() => decide(ruleset, { frame: guestFrame() })).toThrow(
      /inet t in rule 2: .*match u32 without its parameters/,
    );
  });

  test('does not matter to packets that never reach it', () => {
    const ruleset = input([
      [match(field('udp', 'dport'), 53), accept],
      [{ xt: { type: 'match', name: 'u32' } }, accept],
    ]);
    expect(decide(ruleset, { frame: guestFrame() }).kind).toBe('delivered');
  });

  test('is a limit, unless the caller says how it decides', () => {
    const ruleset = input([[{ limit: { rate: 1, per: 'second' } }, accept]]);
    expect(() => decide(ruleset, { frame: guestFrame() })).toThrow(/limit/);
    const known = { device: 'tap0', frame: guestFrame() };
    expect(new Decider(ruleset, topology, { limits: false }).decide(known).outcome.kind).toBe('dropped');
  });
});

describe('a file', () => {
  test('with an ingress chain refuses to be read unless its device is named', () => {
    const text = listing('netdev', [{ name: 'i', hook: 'ingress', rules: [[drop]] }]);
    expect(() => read(text)).toThrow(/without a device/);
  });

  test('that is no ruleset is refused by name', () => {
    expect(() => read('{"tables": []}')).toThrow(/without a list "nftables"/);
    expect(() => read('nothing')).toThrow(/no JSON/);
  });
});
