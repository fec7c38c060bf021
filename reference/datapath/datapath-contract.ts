/** What every datapath does, told as tests: run on the fake everywhere, and on the kernel where there is one. */
import { expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import type { PinElement } from '#reference/contract/datapath.ts';
import type { DatapathPort } from '#reference/contract/datapath-port.ts';
import {
  mixedPolicy,
  narrowPolicy,
  sampleNetwork,
  widePolicy,
} from '../decisions/ruleset/ruleset-samples.ts';

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof CodedError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
}

const pin = (tap: string, last: number, timeoutMs = 60_000): PinElement => ({
  tap,
  address: `93.184.215.${last}`,
  protocol: 'tcp',
  port: 443,
  timeoutMs,
});

type Act = (datapath: DatapathPort) => void | Promise<void>;
type Contract = (title: string, act: Act) => void;

const [one, two] = [sampleNetwork(0), sampleNetwork(1)];

/** `make` opens a datapath over the pod of the samples; `settle` gives descriptors back after each test. */
export function datapathContract(make: () => DatapathPort, settle: (datapath: DatapathPort) => void): void {
  const contract: Contract = (title, act) =>
    test(title, async () => {
      const datapath = make();
      try {
        await act(datapath);
      } finally {
        settle(datapath);
      }
    });
  sandboxContract(contract);
  pinContract(contract);
}

function sandboxContract(contract: Contract): void {
  contract('opens, changes, closes, and opens the same again', (datapath) => {
    for (let round = 0; round < 3; round++) {
      datapath.open(one, narrowPolicy);
      datapath.change(one.tap, widePolicy);
      datapath.change(one.tap, mixedPolicy);
      datapath.close(one.tap);
    }
  });

  contract('refuses a tap that stands, and a tap that stands no more', (datapath) => {
    datapath.open(one, narrowPolicy);
    expect(refusalOf(() => datapath.open({ ...two, tap: one.tap }, narrowPolicy))).toMatch(/^tap-taken/);
    datapath.close(one.tap);
    for (const act of [
      () => datapath.close(one.tap),
      () => datapath.cutOff(one.tap),
      () => datapath.change(one.tap, widePolicy),
    ])
      expect(refusalOf(act)).toMatch(/^no-sandbox/);
  });

  contract('refuses addresses and ports of a sibling, and leaves the sibling as it is', (datapath) => {
    datapath.open(one, widePolicy);
    expect(refusalOf(() => datapath.open({ ...two, ipv4: one.ipv4 }, narrowPolicy))).toMatch(
      /^bad-network: ipv4/,
    );
    expect(refusalOf(() => datapath.open(two, widePolicy))).toMatch(/^bad-network: inbound\[0\]\.podPort/);
    datapath.open(two, narrowPolicy);
    expect(refusalOf(() => datapath.change(two.tap, widePolicy))).toMatch(
      /^bad-network: inbound\[0\]\.podPort/,
    );
    datapath.change(one.tap, narrowPolicy);
    datapath.change(two.tap, widePolicy);
  });

  contract('refuses a bad network before anything is done', (datapath) => {
    const bad = { ...one, guestMac: '03:00:00:00:00:02' };
    expect(refusalOf(() => datapath.open(bad, narrowPolicy))).toMatch(/^bad-network: guestMac/);
    expect(refusalOf(() => datapath.open(one, { ...narrowPolicy, allow: ['10.0.0.0/8'] }))).toMatch(
      /^bad-allow-entry/,
    );
    datapath.open(one, narrowPolicy);
  });

  contract(
    'cut off, a sandbox is known no more; its tap is free again when it was reaped',
    async (datapath) => {
      datapath.open(one, widePolicy);
      datapath.open(two, narrowPolicy);
      datapath.cutOff(one.tap);
      expect(refusalOf(() => datapath.change(one.tap, narrowPolicy))).toMatch(/^no-sandbox/);
      expect(refusalOf(() => datapath.open(one, narrowPolicy))).toMatch(/^tap-taken/);
      datapath.reap();
      datapath.open(one, widePolicy);
      await Promise.all([datapath.closeInBackground(one.tap), datapath.closeInBackground(two.tap)]);
      datapath.open(one, widePolicy);
      datapath.open(two, narrowPolicy);
    },
  );
}

function pinContract(contract: Contract): void {
  contract('pins within the bound of a sandbox, renews at the bound, and takes back', (datapath) => {
    datapath.open(one, narrowPolicy);
    datapath.open(two, narrowPolicy);
    const pins = [1, 2, 3, 4].map((last) => pin(one.tap, last));
    expect(datapath.addPins(pins)).toEqual([true, true, true, true]);
    expect(datapath.addPins([pin(one.tap, 1), pin(one.tap, 5), pin(two.tap, 5)])).toEqual([
      true,
      false,
      true,
    ]);
    expect(datapath.deletePins([pin(one.tap, 1), pin(one.tap, 77)])).toEqual([true, true]);
    expect(datapath.addPins([pin(one.tap, 5)])).toEqual([true]);
    expect(datapath.addPins([pin('tap-9', 5)])).toEqual([false]);
    expect(datapath.addPins([])).toEqual([]);
    expect(() => datapath.addPins([{ ...pin(one.tap, 1), address: '1.2.3' }])).toThrow(RangeError);
  });

  contract('a pin goes by itself when its time is over', async (datapath) => {
    datapath.open(one, narrowPolicy);
    expect(datapath.addPins([1, 2, 3, 4].map((last) => pin(one.tap, last, 120)))).not.toContain(false);
    expect(datapath.addPins([pin(one.tap, 5)])).toEqual([false]);
    // The kernel collects what has timed out when it next has to; until then a full set may still refuse.
    const end = performance.now() + 10_000;
    let isThere = false;
    while (!isThere && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      [isThere = false] = datapath.addPins([pin(one.tap, 5)]);
    }
    expect(isThere).toBe(true);
  });
}
