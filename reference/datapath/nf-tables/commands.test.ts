/** Transactions as octets: lengths are measured, sequence numbers run on, unknown words are refused. */
import { expect, test } from 'vitest';
import type { Command } from '../../decisions/ruleset/nft-json.ts';
import { openPod, openSandbox } from '../../decisions/ruleset/ruleset.ts';
import { sampleNetwork, samplePod, widePolicy } from '../../decisions/ruleset/ruleset-samples.ts';
import { attributesOf } from '../netlink.ts';
import { NetlinkWriter } from '../netlink-writer.ts';
import { CommandWriter } from './commands.ts';

function compiled(commands: readonly Command[]): Buffer[] {
  const writer = new NetlinkWriter();
  const writing = new CommandWriter(writer);
  for (const command of commands) writing.write(command);
  const octets = Buffer.from(writer.finish(7));
  const messages: Buffer[] = [];
  for (let at = 0; at < octets.length; at += (octets.readUInt32LE(at) + 3) & ~3) {
    messages.push(octets.subarray(at, at + octets.readUInt32LE(at)));
  }
  expect(messages.map((message) => message.readUInt32LE(8))).toEqual(messages.map((_, index) => index + 7));
  return messages;
}

test('every command of a sandbox becomes a message whose attributes fill it to the end', () => {
  const { nftables } = openSandbox(samplePod, sampleNetwork(0, true), widePolicy);
  const messages = compiled([...openPod(samplePod).nftables, ...nftables]);
  expect(messages.length).toBeGreaterThanOrEqual(nftables.length);
  for (const message of messages) {
    const body = message.subarray(20);
    const filled = [...attributesOf(body).values()].reduce(
      (sum, { length }) => sum + ((length + 4 + 3) & ~3),
      0,
    );
    expect(filled).toBe(body.length);
  }
});

const inet = { family: 'inet', table: 'mitos' } as const;
const rule = (...expr: unknown[]) =>
  ({ add: { rule: { ...inet, chain: 'c', comment: 'c', expr } } }) as Command;

test('what is not known here is refused before anything is sent, never written as something that matches more', () => {
  const refused: Command[] = [
    { replace: { rule: { ...inet } } },
    rule({ match: { op: '==', left: { payload: { protocol: 'sctp', field: 'dport' } }, right: 1 } }),
    rule({ match: { op: '==', left: { payload: { base: 'nh', offset: 4, len: 4 } }, right: 1 } }),
    rule({ match: { op: '==', left: { meta: { key: 'mark' } }, right: 1 } }),
    rule({ match: { op: '==', left: { ct: { key: 'zone' } }, right: 1 } }),
    rule({ match: { op: 'in', left: { ct: { key: 'state' } }, right: 'untracked' } }),
    rule({ match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: 'fd00::1' } }),
    rule({ match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 65_536 } }),
    rule({ match: { op: '!=', left: { meta: { key: 'oifname' } }, right: '@taps' } }),
    rule({ match: { op: '!=', left: { meta: { key: 'l4proto' } }, right: { set: ['tcp', 'udp'] } } }),
    rule({
      match: {
        op: '!=',
        left: { payload: { protocol: 'ip', field: 'saddr' } },
        right: { prefix: { addr: '10.0.0.0', len: 8 } },
      },
    }),
    rule({ queue: null }),
    rule({ match: { op: '==', left: { fib: { result: 'oif', flags: 'daddr' } }, right: 'lo' } }),
    { add: { rule: { ...inet, chain: 'c', comment: 'x'.repeat(128), expr: [] } } },
    { add: { element: { ...inet, name: 'unknown', elem: ['10.0.0.1'] } } },
    { add: { set: { ...inet, name: 's', type: 'mark' } } },
    { add: { chain: { ...inet, name: 'c', type: 'filter', hook: 'egress', prio: 0 } } },
    {
      add: {
        rule: {
          family: 'netdev',
          table: 'mitos',
          chain: 'c',
          comment: 'c',
          expr: [
            { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '10.0.0.1' } },
          ],
        },
      },
    },
  ];
  for (const command of refused)
    expect(() => compiled([command]), JSON.stringify(command)).toThrow(RangeError);
});

test('many elements are spread over messages: an attribute has 16 bits for its length', () => {
  const set: Command = { add: { set: { ...inet, name: 's', type: 'ipv6_addr', flags: ['interval'] } } };
  const elem = Array.from({ length: 3_000 }, (_, index) => `fd00::${index.toString(16)}`);
  const messages = compiled([set, { add: { element: { ...inet, name: 's', elem } } }]);
  expect(messages.length).toBe(1 + Math.ceil(3_000 / 256));
});

test('the last address of a family ends no interval: there is none after it', () => {
  const set: Command = { add: { set: { ...inet, name: 's', type: 'ipv4_addr', flags: ['interval'] } } };
  const element = (elem: unknown) =>
    compiled([set, { add: { element: { ...inet, name: 's', elem: [elem] } } } as Command])[1]?.length ?? 0;
  expect(element({ range: ['240.0.0.0', '255.255.255.255'] })).toBeLessThan(
    element({ range: ['240.0.0.0', '255.255.255.254'] }),
  );
});
