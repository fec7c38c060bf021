/** What a batch costs that the kernel refuses: few writes, whatever stands in it. */
import { afterEach, expect, test } from 'vitest';
import { SyscallError } from '#reference/base/syscalls.ts';
import type { PinElement } from '#reference/contract/datapath.ts';
import { run } from './kernel-ground.ts';
import { NETLINK_NETFILTER, NetlinkSession } from './netlink.ts';
import type { NetlinkWriter } from './netlink-writer.ts';
import { PinWriter } from './pins.ts';

const setSize = 100;

/** Counts what is written to the kernel. */
class CountedSession extends NetlinkSession {
  writes = 0;
  override send(writer: NetlinkWriter, end?: (writer: NetlinkWriter) => void) {
    this.writes += 1;
    return super.send(writer, end);
  }
}

const sessions: CountedSession[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
});

function freshSets(): { session: CountedSession; pins: PinWriter } {
  run('nft', 'flush', 'ruleset');
  run('nft', 'add', 'table', 'inet', 'mitos');
  for (const tap of ['a', 'b']) {
    const type = 'type ipv4_addr . inet_proto . inet_service; flags timeout;';
    run('nft', `add set inet mitos ${tap}/pins-ipv4 { ${type} size ${setSize}; }`);
  }
  const session = new CountedSession(NETLINK_NETFILTER);
  sessions.push(session);
  return { session, pins: new PinWriter(session) };
}

const pin = (tap: string, number: number, timeoutMs = 60_000): PinElement => ({
  tap,
  address: `93.184.${number >> 8}.${number & 255}`,
  protocol: 'tcp',
  port: 443,
  timeoutMs,
});
const some = (tap: string, first: number, count: number) =>
  Array.from({ length: count }, (_, index) => pin(tap, first + index));
const standing = (tap: string) =>
  (run('nft', 'list', 'set', 'inet', 'mitos', `${tap}/pins-ipv4`).match(/93\.184\./g) ?? []).length;

test('a whole round into a full set costs a handful of writes, and the other sandbox nothing', () => {
  const { session, pins } = freshSets();
  expect(pins.add(some('a', 0, setSize))).not.toContain(false);
  session.writes = 0;
  const round = [...some('b', 0, 64), ...some('a', 1_000, 256), ...some('b', 64, 10)];
  const done = pins.add(round);
  expect(session.writes).toBeLessThanOrEqual(6);
  expect(done).toEqual(round.map(({ tap }) => tap === 'b'));
  expect([standing('a'), standing('b')]).toEqual([setSize, 74]);
});

test('what still fits is pinned, and nothing that was refused', () => {
  const { session, pins } = freshSets();
  pins.add(some('a', 0, setSize - 10));
  session.writes = 0;
  const done = pins.add([...some('a', 0, 20), ...some('a', 500, 30)]);
  expect(done.filter(Boolean)).toHaveLength(20 + 10);
  expect(done.slice(0, 20)).not.toContain(false);
  expect(session.writes).toBeLessThanOrEqual(6);
  expect(standing('a')).toBe(setSize);
});

test('one that is too large for its set costs no other that fits', () => {
  const { pins } = freshSets();
  pins.add(some('a', 0, setSize - 3));
  const batch = (first: number, count: number) => ({
    kind: 'add' as const,
    tap: 'a',
    elements: some('a', first, count),
  });
  expect(pins.run([batch(500, 7), batch(600, 1), batch(700, 2)])).toEqual([23, 0, 0]);
  expect(standing('a')).toBe(setSize);
});

test('an add never comes after the delete that follows it', () => {
  const { pins } = freshSets();
  pins.add(some('a', 0, setSize));
  const elements = some('a', 900, 1);
  const result = pins.run([
    { kind: 'add', tap: 'a', elements: some('a', 500, 2) },
    { kind: 'add', tap: 'a', elements },
    { kind: 'delete', tap: 'a', elements: some('a', 0, 1) },
    { kind: 'delete', tap: 'a', elements },
  ]);
  expect(result).toEqual([23, 23, 0, 2]);
  expect(run('nft', 'list', 'set', 'inet', 'mitos', 'a/pins-ipv4')).not.toContain('93.184.3.132 ');
});

test('a command that is refused leaves the pins that it names as they stand', () => {
  const { pins } = freshSets();
  pins.add([pin('a', 1, 300_000), ...some('a', 2, setSize - 1)]);
  const shorter = { kind: 'add' as const, tap: 'a', elements: [pin('a', 1, 10_000), pin('a', 900)] };
  expect(pins.run([shorter, { ...shorter, elements: some('a', 2, 3) }])).toEqual([23, 0]);
  expect(run('nft', 'list', 'set', 'inet', 'mitos', 'a/pins-ipv4')).toMatch(
    /93\.184\.0\.1 \. tcp \. 443 timeout 5m expires 4m5/,
  );
});

test('without the set every one is refused by name, at once', () => {
  const { session, pins } = freshSets();
  run('nft', 'flush', 'ruleset');
  expect(pins.add(some('a', 0, 50))).not.toContain(true);
  expect(session.writes).toBeLessThanOrEqual(6);
  expect(new SyscallError('nf_tables', 23).code).toBe('ENFILE');
});
