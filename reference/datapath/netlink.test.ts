/** What a netlink session does with answers that do not come. */
import { expect, test } from 'vitest';
import { NETLINK_ROUTE, NetlinkSession, readUntilWhole } from './netlink.ts';

const coded = (code: string) => expect.objectContaining({ code });

test('a dump that is interrupted is read again, and never for ever', () => {
  const answers = [null, null, 'whole'];
  expect(readUntilWhole('list', () => answers.shift() ?? null)).toBe('whole');
  let tries = 0;
  const never = () => {
    tries += 1;
    return null;
  };
  expect(() => readUntilWhole('list', never)).toThrow(coded('netlink-unsettled'));
  expect(tries).toBe(20);
});

test('a request that the kernel does not answer fails by name within its deadline', () => {
  const session = new NetlinkSession(NETLINK_ROUTE);
  const noOperation = 1;
  const start = performance.now();
  try {
    expect(() => session.dump('nothing', noOperation, Buffer.alloc(16), 0)).toThrow(coded('netlink-silent'));
  } finally {
    session.close();
  }
  expect(performance.now() - start).toBeLessThan(10_000);
});

test('a closed session is closed once', () => {
  const session = new NetlinkSession(NETLINK_ROUTE);
  session.close();
  session.close();
});
