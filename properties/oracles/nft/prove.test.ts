/** Proofs: the published chain is refuted by a packet that the evaluator confirms, a closed one holds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bdd, type Bdds, never } from '../bdd/bdd.ts';
import { inPrefix, isAddress } from './evaluate/fib.ts';
import type { Outcome } from './evaluate/pipeline.ts';
import { accept, drop, field, listing, match, read, topology } from './fixtures.ts';
import type { Json } from './json/values.ts';
import { representatives } from './prove/classes.ts';
import { equals } from './prove/counterexample.ts';
import { prove } from './prove/prove.ts';
import type { Unknown } from './prove/unknown-packet.ts';

const fromTap = match({ meta: { key: 'iifname' } }, 'tap0');
const fromGuest = match(field('ip', 'saddr'), '10.1.0.2');
const toResolver = [match(field('ip', 'daddr'), '10.1.0.1'), match(field('udp', 'dport'), 53), accept];

/** findings.md F4, invariant 2. */
function reachesAnotherListener(outcome: Outcome, unknown: Unknown, bdds: Bdds): Bdd {
  if (outcome.kind !== 'delivered') return never;
  if (unknown.shape.family !== 4) return outcome.when;
  const resolver = isAddress(bdds, unknown.destination, '10.1.0.1');
  return bdds.and(resolver, equals(bdds, unknown.destinationPort, 53)) ^ 1;
}

const question = { topology, device: 'tap0', forbidden: reachesAnotherListener };

describe('a proof', () => {
  test('refutes the published input chain with a packet that it confirms', () => {
    const rules = [
      [fromTap, fromGuest, ...toResolver],
      [fromTap, fromGuest, drop],
    ];
    const ruleset = read(listing('inet', [{ name: 'in', hook: 'input', policy: 'accept', rules }]));
    const answer = prove({ ...question, ruleset });
    expect(answer.result).toBe('refuted');
    if (answer.result !== 'refuted') return;
    expect(answer.packet.confirmed).toBe(true);
    expect(answer.packet.outcome).toBe('delivered tap0');
    expect(answer.packet.fields.saddr).not.toBe('10.1.0.2');
    expect(answer.packet.frame.length).toBeGreaterThanOrEqual(34);
  });

  test('holds for positive accepts under a policy of drop, and says within what', () => {
    const rules = [[fromTap, fromGuest, ...toResolver]];
    const ruleset = read(listing('inet', [{ name: 'in', hook: 'input', policy: 'drop', rules }]));
    const answer = prove({ ...question, ruleset });
    expect(answer.result).toBe('holds');
    expect(answer.assumptions.join('\n')).toContain('no rule asks for connection tracking');
  });

  test('finds the one port that a set lets through', () => {
    const rules = [
      [
        fromTap,
        match(field('ip', 'daddr'), '10.1.0.1'),
        match(field('udp', 'dport'), { set: [53, 9091] }),
        accept,
      ],
    ];
    const ruleset = read(listing('inet', [{ name: 'in', hook: 'input', policy: 'drop', rules }]));
    const answer = prove({ ...question, ruleset });
    expect(answer.result === 'refuted' ? answer.packet.fields.dport : '').toBe('9091');
  });

  test('never finds a guest source leaving where masquerade hides it, and does where it does not', () => {
    const leaves = (outcome: Outcome, unknown: Unknown, bdds: Bdds): Bdd => {
      if (outcome.kind !== 'left' || outcome.packet.family !== 4 || outcome.device?.name !== 'eth0')
        return never;
      return bdds.and(
        unknown.connection.isNew,
        inPrefix(bdds, outcome.packet.network.read(12, 4), '10.1.0.0/30'),
      );
    };
    const post = (rules: Parameters<typeof listing>[1][number]['rules']) =>
      read(listing('ip', [{ name: 'post', hook: 'postrouting', type: 'nat', priority: 100, rules }]));
    const hidden = post([[match({ meta: { key: 'oifname' } }, 'eth0'), { masquerade: null }]]);
    expect(prove({ topology, device: 'tap0', ruleset: hidden, forbidden: leaves }).result).toBe('holds');
    const shown = post([[match(field('tcp', 'dport'), 80), { masquerade: null }]]);
    expect(prove({ topology, device: 'tap0', ruleset: shown, forbidden: leaves }).result).toBe('refuted');
  });
});

describe('classes of values', () => {
  test('never tell apart what no question does, and always tell apart what one does', () => {
    const interval = fc
      .tuple(fc.nat(255), fc.nat(255))
      .map(([a, b]) => ({ first: BigInt(Math.min(a, b)), last: BigInt(Math.max(a, b)) }));
    const predicates = fc.array(fc.array(interval, { maxLength: 3 }), { maxLength: 5 });
    fc.assert(
      fc.property(predicates, (asked) => {
        const answers = (value: bigint) =>
          asked.map((ranges) => ranges.some(({ first, last }) => first <= value && value <= last)).join();
        const chosen = representatives(8, asked).map(answers);
        const all = new Set(Array.from({ length: 256 }, (_, value) => answers(BigInt(value))));
        expect(new Set(chosen)).toEqual(all);
        expect(chosen.length).toBe(all.size);
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  test('never change what is proved of a ruleset', () => {
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(randomRules, fc.constantFrom(53, 80, 443), (rules, port) => {
        const ruleset = read(
          listing('inet', [
            { name: 'in', hook: 'input', policy: 'drop', rules },
            { name: 'pre', hook: 'prerouting', type: 'nat', priority: -100, rules: [[toPort80]] },
          ]),
        );
        const forbidden = (outcome: Outcome, unknown: Unknown, bdds: Bdds): Bdd =>
          outcome.kind === 'delivered' ? equals(bdds, unknown.destinationPort, port) : never;
        const coded = prove({ ...question, ruleset, forbidden });
        const plain = prove({ ...question, ruleset, forbidden, allBits: true });
        outcomes.add(coded.result);
        expect(coded.result).toBe(plain.result);
        if (coded.result === 'refuted') expect(coded.packet.confirmed).toBe(true);
      }),
      { numRuns: 25, seed: 5 },
    );
    expect([...outcomes].sort()).toEqual(['holds', 'refuted']);
  });
});

const toPort80: Json = { dnat: { family: 'ip', addr: '10.1.0.1' } };
const prefix = (addr: string, len: number): Json => ({ prefix: { addr, len } });
const randomTest: fc.Arbitrary<Json> = fc.oneof(
  fc
    .subarray([prefix('10.0.0.0', 8), prefix('10.1.0.0', 30), '8.8.8.8', '10.1.0.2'] as Json[], {
      minLength: 1,
    })
    .chain((listed) =>
      fc.constantFrom('==', '!=').map((op) => match(field('ip', 'saddr'), { set: listed.slice(-1) }, op)),
    ),
  fc.constantFrom(
    match(field('ip', 'daddr'), '10.1.0.1'),
    match(field('ip', 'daddr'), prefix('172.20.0.0', 24), '!='),
  ),
  fc
    .tuple(
      fc.constantFrom('tcp', 'udp'),
      fc.constantFrom('==', '!=', '<', '>='),
      fc.constantFrom(53, 80, 443),
    )
    .map(([protocol, op, port]) => match(field(protocol, 'dport'), port, op)),
  fc.constant(match(field('udp', 'dport'), { set: [53, { range: [80, 90] }] })),
  fc.constant(
    match({ concat: [field('ip', 'saddr'), field('udp', 'dport')] }, { set: [{ concat: ['10.1.0.2', 53] }] }),
  ),
  fc.constant(match({ ct: { key: 'state' } }, 'new', 'in')),
);
const randomRules = fc.array(
  fc
    .tuple(fc.array(randomTest, { minLength: 1, maxLength: 2 }), fc.constantFrom(accept, drop, drop))
    .map(([tests, verdict]) => [...tests, verdict]),
  { minLength: 1, maxLength: 5 },
);
