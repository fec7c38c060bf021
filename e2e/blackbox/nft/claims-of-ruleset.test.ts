/** F4's claims of rulesets: each outcome of each claim, on captured rulesets, the reference, and hand-made ones. */
import { describe, expect, test } from 'vitest';
import { accept, drop, field, listing, match, read, topology } from '#properties/oracles/nft/fixtures.ts';
import type { Json } from '#properties/oracles/nft/json/values.ts';
import type { Ruleset } from '#properties/oracles/nft/ruleset.ts';
import { checkClaims, type Subject } from './claims-of-ruleset.ts';
import { capturePath, committedTools } from './committed-captures.ts';
import type { Facts } from './facts.ts';
import type { PartAnswer } from './judge.ts';
import { packetWords, pathWords } from './packet-words.ts';
import { claimIds } from './part.ts';
import { referenceSubject } from './reference-ruleset.ts';
import { readSubject } from './subject.ts';

const facts: Facts = {
  taps: [{ tap: 'tap0', device: 'tap0', guest: '10.1.0.2', mac: [2, 0, 0, 0, 0, 0x11] }],
  resolver: '10.1.0.1',
  uplink: 'eth0',
  allow: 'any',
  inbound: [],
};

function check(ruleset: Ruleset, more: Partial<Facts> = {}, others: Partial<Subject> = {}) {
  const { claims } = checkClaims({
    ruleset,
    topology,
    bridgePorts: {},
    ...others,
    facts: { ...facts, ...more },
  });
  const outcome = Object.fromEntries(claims.map((one) => [one.claim, one.outcome]));
  const parts = new Map<string, PartAnswer>(
    claims.flatMap(({ claim, parts: list }) => list.map((part) => [`${claim} ${part.name}`, part] as const)),
  );
  return { outcome, part: (name: string) => parts.get(name) as PartAnswer };
}

const fromTap = match({ meta: { key: 'iifname' } }, 'tap0');
const fromGuest = match(field('ip', 'saddr'), '10.1.0.2');
const toResolver = [match(field('ip', 'daddr'), '10.1.0.1'), match(field('udp', 'dport'), 53), accept];
const published = listing('inet', [
  {
    name: 'input',
    hook: 'input',
    rules: [
      [fromTap, fromGuest, ...toResolver],
      [fromTap, fromGuest, drop],
    ],
  },
]);
const everything = { name: 'all', hook: 'prerouting', policy: 'drop', rules: [] } as const;

describe('the reference', () => {
  test('holds on every claim, so that each can', () => {
    const { claims } = checkClaims(referenceSubject());
    expect(claims.map(({ claim, outcome }) => [claim, outcome])).toEqual(
      claimIds.map((claim) => [claim, 'holds']),
    );
  });

  test('is falsified by the one destination that --allow does not name', () => {
    const subject = referenceSubject();
    const { claims } = checkClaims({ ...subject, facts: { ...subject.facts, allow: [] } });
    const part = claims.flatMap(({ parts }) => parts).find(({ name }) => name === 'allowed');
    expect(part?.outcome === 'falsified' ? part.packet.fields.daddr : '').toMatch(
      /^(203\.0\.113|10\.96\.0)\./,
    );
  });

  test('is falsified by a port that is forwarded and that --inbound does not name', () => {
    const subject = referenceSubject();
    const { claims } = checkClaims({ ...subject, facts: { ...subject.facts, inbound: [] } });
    expect(claims.filter(({ outcome }) => outcome === 'falsified').map(({ claim }) => claim)).toEqual([
      'F4.inbound',
    ]);
  });
});

describe('rulesets that nobody here wrote', () => {
  test('are decided from their captures, at least two whole', async () => {
    const whole: string[] = [];
    for (const tool of committedTools()) {
      const { claims } = checkClaims(await readSubject({ ruleset: capturePath(tool) }));
      const parts = claims.flatMap((claim) => claim.parts);
      for (const part of parts) {
        if (part.outcome === 'falsified') expect(part.packet.confirmed, `${tool} ${part.name}`).toBe(true);
      }
      if (parts.every(({ outcome }) => outcome !== 'unsupported')) whole.push(tool);
    }
    expect(whole).toEqual(['libvirt', 'netavark', 'cni-plugins', 'docker']);
  });

  test('let a guest behind libvirt out un-masqueraded only where conntrack calls the packet invalid', async () => {
    const { claims } = checkClaims(await readSubject({ ruleset: capturePath('libvirt') }));
    const part = claims.flatMap((claim) => claim.parts).find(({ name }) => name === 'guest source');
    expect(part?.outcome === 'falsified' ? part.packet.fields['ct state'] : '').toBe('invalid');
  });
});

describe('the published input chain', () => {
  const { outcome, part } = check(read(published));

  test('holds for what it was written for', () => {
    expect(outcome['F4.input']).toBe('holds');
    expect(outcome['F4.pod']).toBe('holds');
  });

  test('never stops the network address, IPv6, a tag, another MAC or ARP', () => {
    const address = part('F4.source address');
    if (address.outcome !== 'falsified') throw new Error(address.outcome);
    expect(packetWords(address.packet)).toBe(
      'TCP 10.1.0.0:40000 → 172.20.0.10:9443, new, from 02:00:00:00:00:11 on tap0: delivered',
    );
    expect(pathWords(address.packet.path)).toEqual(['input: inet t input, policy accept']);
    for (const name of ['ipv6', 'tags', 'mac', 'arp'])
      expect(part(`F4.source ${name}`).outcome).toBe('falsified');
  });

  test('never keeps a guest from metadata', () => {
    const metadata = part('F4.leave metadata');
    if (metadata.outcome !== 'falsified') throw new Error(metadata.outcome);
    expect(metadata.packet.fields.daddr).toBe('169.254.169.254');
    expect(metadata.packet.outcome).toBe('left by eth0');
  });
});

describe('hand-made rulesets', () => {
  test('without a rule break every claim but the one about the pod, and the one about tracking', () => {
    const { outcome } = check({ tables: [] });
    expect(outcome).toEqual({
      'F4.input': 'falsified',
      'F4.source': 'falsified',
      'F4.leave': 'falsified',
      'F4.established': 'holds',
      'F4.inbound': 'falsified',
      'F4.pod': 'holds',
    });
  });

  test('that drop everything hold for the guest, but for ARP and the pod', () => {
    const { outcome, part } = check(read(listing('inet', [everything])));
    expect(outcome['F4.input']).toBe('holds');
    expect(outcome['F4.leave']).toBe('holds');
    expect(outcome['F4.pod']).toBe('falsified');
    expect(part('F4.source arp').outcome).toBe('falsified');
    expect(part('F4.source ipv6').outcome).toBe('holds');
    expect(part('F4.inbound eth0').outcome).toBe('holds');
    expect(part('F4.inbound pod').outcome).toBe('falsified');
  });

  test('that accept whatever is established take a forged reply', () => {
    const established = match({ ct: { key: 'state' } }, ['established', 'related'], 'in');
    const rules = [
      [established, accept],
      [fromTap, drop],
    ];
    const { part } = check(read(listing('inet', [{ name: 'in', hook: 'input', rules }])));
    const forged = part('F4.established forged reply');
    if (forged.outcome !== 'falsified') throw new Error(forged.outcome);
    expect(forged.packet.fields.saddr).toBe('8.8.8.8');
    expect(forged.packet.accepted.at(-1)?.rule).toContain('accept');
    expect(part('F4.established forged error').outcome).toBe('falsified');
  });

  test('never are anything but unsupported where an expression is not understood, and it is named', () => {
    const unknown: Json = { socket: { key: 'transparent' } };
    const rules = [[match(unknown, 1), accept]];
    const { part } = check(read(listing('inet', [{ name: 'in', hook: 'input', policy: 'drop', rules }])));
    const input = part('F4.input listeners');
    if (input.outcome !== 'unsupported') throw new Error(input.outcome);
    expect(input.reason).toMatch(/^inet t in rule \d+: .*socket.* is not understood$/);
  });

  test('of the bridge family are unsupported for a tap that is a port, since they are not read', () => {
    const ports = { tap0: 'br0' };
    const bridged = {
      ...topology,
      devices: topology.devices.map((one) => (one.name === 'tap0' ? { ...one, name: 'br0' } : one)),
    };
    const taps = [{ tap: 'tap0', device: 'br0', guest: '10.1.0.2', mac: null }];
    const bridge = read(listing('bridge', [{ name: 'fwd', hook: 'forward', policy: 'drop', rules: [] }]));
    const { part } = check(bridge, { taps }, { topology: bridged, bridgePorts: ports });
    const input = part('F4.input listeners');
    expect(input.outcome === 'unsupported' ? input.reason : '').toContain('bridge t fwd');
    expect(
      check({ tables: [] }, { taps }, { topology: bridged, bridgePorts: ports }).outcome['F4.input'],
    ).toBe('falsified');
  });
});

test('no part is vacuous: each is falsified by some ruleset, and held by the reference', () => {
  const second = {
    name: 'wan1',
    index: 5,
    hardware: 1,
    mac: [2, 0, 0, 0, 0, 4],
    addresses: ['172.21.0.10/24'],
  };
  const wider = { ...topology, devices: [...topology.devices, second] };
  const tracked = match({ ct: { key: 'state' } }, ['new', 'established', 'related', 'invalid'], 'in');
  const nothingOut = { name: 'out', hook: 'output', policy: 'drop', rules: [] } as const;
  const rulesets = [
    read(listing('inet', [{ name: 'in', hook: 'input', rules: [[tracked, accept]] }])),
    read(listing('inet', [everything, nothingOut])),
  ];
  const broken = new Set<string>();
  for (const ruleset of rulesets) {
    const own = { ...facts, allow: [] };
    const { claims } = checkClaims({ ruleset, topology: wider, bridgePorts: {}, facts: own });
    for (const { claim, parts } of claims) {
      for (const { name, outcome } of parts) if (outcome === 'falsified') broken.add(`${claim} ${name}`);
    }
  }
  const held = checkClaims(referenceSubject()).claims.flatMap(({ claim, parts }) =>
    parts.map(({ name }) => `${claim} ${name}`),
  );
  expect(held.filter((name) => !broken.has(name))).toEqual([]);
  expect(held.length).toBe(18);
});

describe('two guests', () => {
  const other = { tap: 'eth1', device: 'eth1', guest: '10.2.0.2', mac: [2, 0, 0, 0, 0, 0x12] };
  const two = {
    ...topology,
    devices: [
      ...topology.devices,
      { name: 'eth1', index: 4, hardware: 1, mac: [2, 0, 0, 0, 0, 3], addresses: ['10.2.0.1/30'] },
    ],
  };
  const taps = [...facts.taps, other];

  test('reach each other where nothing forbids it, and never where forwarding between taps is dropped', () => {
    expect(check({ tables: [] }, { taps }, { topology: two }).part('F4.inbound tap0: eth1').outcome).toBe(
      'falsified',
    );
    const rules = [
      [fromTap, match({ meta: { key: 'oifname' } }, 'eth1'), drop],
      [match({ meta: { key: 'iifname' } }, 'eth1'), match({ meta: { key: 'oifname' } }, 'tap0'), drop],
    ];
    const closed = read(listing('inet', [{ name: 'fwd', hook: 'forward', rules }]));
    expect(check(closed, { taps }, { topology: two }).part('F4.inbound tap0: eth1').outcome).toBe('holds');
  });

  test('on one bridge are the bridge’s matter: unsupported, never held', () => {
    const same = [facts.taps[0], { ...other, device: 'tap0' }].flatMap((tap) => tap ?? []);
    const { part } = check(read(listing('inet', [everything])), { taps: same });
    expect(part('F4.inbound tap0: eth1').outcome).toBe('unsupported');
  });
});

describe('what nobody said', () => {
  test.each([
    [{ resolver: undefined }, 'F4.input listeners', '--resolver'],
    [{ allow: undefined }, 'F4.leave allowed', '--allow'],
    [{ uplink: undefined }, 'F4.pod uplink', '--uplink'],
    [{ uplink: undefined }, 'F4.inbound uplink', '--uplink'],
    [{ taps: [] }, 'F4.source tap', '--tap'],
    [{ taps: facts.taps.map((tap) => ({ ...tap, mac: null })) }, 'F4.source mac', '--guest-mac'],
  ] as const)('makes its part unsupported, with what to give (%#)', (lack, name, flag) => {
    const { outcome, part } = check(read(listing('inet', [everything])), lack);
    const answer = part(name);
    expect(answer.outcome === 'unsupported' ? answer.give : answer.outcome).toContain(flag);
    expect(outcome[name.split(' ')[0] as string]).not.toBe('holds');
  });
});
