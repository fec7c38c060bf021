/** The datapath on the kernel keeps the contract of every datapath. Needs: tun. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { close } from '#reference/base/syscalls.ts';
import type { DatapathPort, OpenedTap } from '#reference/contract/datapath-port.ts';
import {
  contractPod,
  narrowPolicy,
  sampleNetwork,
  widePolicy,
} from '../decisions/ruleset/ruleset-samples.ts';
import { Datapath } from './datapath.ts';
import { datapathContract } from './datapath-contract.ts';
import { layGround, ruleset, run, strangers } from './kernel-ground.ts';

const fds = new Map<DatapathPort, number[]>();

/** Remembers descriptors of taps, which are the VMM's in earnest. */
function make(): Datapath {
  const datapath = new Datapath(contractPod);
  const own: number[] = [];
  fds.set(datapath, own);
  const open = datapath.open.bind(datapath);
  datapath.open = (...parameters): OpenedTap => {
    const opened = open(...parameters);
    own.push(opened.fd);
    return opened;
  };
  return datapath;
}

function settle(datapath: DatapathPort): void {
  try {
    datapath.shutDown();
  } finally {
    for (const fd of fds.get(datapath) ?? []) close(fd);
    fds.delete(datapath);
  }
  expect(strangers()).toEqual([]);
  expect(ruleset()).toBe(others);
}

const others =
  'table ip of-the-pod {\n\tchain c {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n}\n';

beforeAll(() => {
  layGround();
  run('nft', 'add', 'table', 'ip', 'of-the-pod');
  run('nft', 'add chain ip of-the-pod c { type filter hook input priority 0; policy accept; }');
});
afterAll(() => expect(ruleset()).toBe(others));

datapathContract(make, settle);

const coded = (code: string) => expect.objectContaining({ code });

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
  return 'none';
}

test('a second datapath in the namespace is refused, and the first lives on', () => {
  const first = make();
  try {
    expect(() => new Datapath(contractPod)).toThrow(coded('datapath-taken'));
    first.open(sampleNetwork(0), widePolicy);
    first.close('tap-0');
  } finally {
    settle(first);
  }
});

test('what it would collide with is refused: interfaces, addresses, links, listeners, ports', () => {
  expect(() => new Datapath({ ...contractPod, uplink: 'nowhere' })).toThrow(coded('no-interface'));
  expect(refusalOf(() => new Datapath({ ...contractPod, masqueradePorts: [40_000, 50_000] }))).toMatch(
    /^bad-network: masqueradePorts/,
  );
  expect(strangers()).toEqual([]);
  const datapath = make();
  try {
    const at = (guest: string, gateway: string) => ({
      ...sampleNetwork(0),
      ipv4: { guest, gateway, resolver: gateway },
    });
    expect(refusalOf(() => datapath.open(at('192.0.2.9', '192.0.2.10'), narrowPolicy))).toMatch(
      /^bad-network: ipv4\.(guest|gateway)/,
    );
    expect(refusalOf(() => datapath.open(at('192.0.2.33', '192.0.2.34'), narrowPolicy))).toMatch(
      /^bad-network: ipv4\.guest.*another link/,
    );
    run('ip', 'tuntap', 'add', 'tap-0', 'mode', 'tap');
    expect(refusalOf(() => datapath.open(sampleNetwork(0), narrowPolicy))).toMatch(/^tap-taken/);
    run('ip', 'link', 'delete', 'tap-0');
    expect(() => datapath.open({ ...sampleNetwork(0, true) }, narrowPolicy)).toThrow(
      coded('ipv6-unsupported'),
    );
    expect(strangers()).toEqual([]);
  } finally {
    settle(datapath);
  }
});

test('a tap that went with its VMM is closed all the same', async () => {
  const datapath = make();
  try {
    for (const [number, end] of [
      () => datapath.close('tap-0'),
      () => datapath.closeInBackground('tap-1'),
    ].entries()) {
      datapath.open(sampleNetwork(number), widePolicy);
      for (const fd of fds.get(datapath)?.splice(0) ?? []) close(fd);
      await end();
      expect(ruleset()).not.toContain(`tap-${number}`);
    }
  } finally {
    settle(datapath);
  }
});

test('many end in the background, in batches, and nothing of them is left', async () => {
  const datapath = make();
  try {
    const taps = Array.from({ length: 70 }, (_, number) => sampleNetwork(number));
    for (const network of taps) datapath.open(network, narrowPolicy);
    await Promise.all(taps.map(({ tap }) => datapath.closeInBackground(tap)));
    expect(strangers()).toEqual([]);
    expect(ruleset()).not.toContain('tap-');
  } finally {
    settle(datapath);
  }
});

test('a set-up that fails leaves nothing: every transaction refused in turn', () => {
  const datapath = make();
  try {
    run('nft', 'add', 'chain', 'inet', 'mitos', 'tap-0/answer');
    const before = ruleset();
    expect(refusalOf(() => datapath.open(sampleNetwork(0), widePolicy))).toMatch(
      /^ruleset-refused.*tap-0\/answer.*EEXIST/s,
    );
    expect(() => datapath.open(sampleNetwork(0), narrowPolicy)).toThrow(coded('ruleset-refused'));
    expect(ruleset()).toBe(before);
    expect(strangers()).toEqual([]);
  } finally {
    settle(datapath);
  }
});
