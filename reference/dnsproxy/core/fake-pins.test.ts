/** The fake keeps the contract of every `PinPort`: tests of the proxy stand on it. */
import { describe, expect, test } from 'vitest';
import { contractSetSize, pinPortContract } from '../../datapath/pin-port-contract.ts';
import { FakePins } from './fake-pins.ts';

describe('fake-pins', () => {
  pinPortContract(() => {
    const pins = new FakePins(contractSetSize);
    for (const tap of ['a', 'b']) pins.makeSets(tap);
    pins.makeSets('c', ['ipv4']);
    return pins;
  });

  test('fails as it is told, and forgets what its time is over for', () => {
    let nowMs = 0;
    const pins = new FakePins(1, () => nowMs);
    pins.makeSets('a');
    const add = (last: number) =>
      ({
        kind: 'add',
        tap: 'a',
        elements: [{ address: `1.1.1.${last}`, protocol: 'tcp', port: 1, timeoutMs: 30_000 }],
      }) as const;
    pins.failures.push('EBUSY');
    expect(pins.run([add(1), add(1), add(2)])).toEqual(['EBUSY', null, 'ENFILE']);
    nowMs = 30_000;
    expect(pins.read()).toEqual([]);
    expect(pins.run([add(2)])).toEqual([null]);
  });
});
