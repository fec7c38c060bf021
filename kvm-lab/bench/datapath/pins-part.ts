/** Pins: one, and batches of 4, 16 and 64, against a process of nft for each. */
import { spawnSync } from 'node:child_process';
import { close } from '#reference/base/syscalls.ts';
import type { PinElement } from '#reference/contract/datapath.ts';
import { Datapath } from '#reference/datapath/datapath.ts';
import { layGround } from '#reference/datapath/kernel-ground.ts';
import { contractPod, narrowPolicy, sampleNetwork } from '#reference/decisions/ruleset/ruleset-samples.ts';
import { median, type Part, rate, timed } from './figures.ts';

const maxPins = 65_536;
const rounds = 300;
const processes = 60;
let next = 0;

function somePins(count: number): PinElement[] {
  return Array.from({ length: count }, () => {
    next += 1;
    const address = `93.${184 + (next >> 16)}.${(next >> 8) & 255}.${next & 255}`;
    return { tap: 'tap-0', address, protocol: 'tcp', port: 443, timeoutMs: 600_000 };
  });
}

export async function pinsPart(): Promise<Part> {
  layGround();
  const datapath = new Datapath({ ...contractPod, maxPins });
  const { fd } = datapath.open(sampleNetwork(0), narrowPolicy);
  const batch = (size: number) =>
    Array.from({ length: rounds }, () => {
      const pins = somePins(size);
      return timed(() => {
        if (datapath.addPins(pins).includes(false)) throw new Error('a pin was refused');
      }).took;
    });
  batch(1);
  const sizes = [1, 4, 16, 64].map((size) => ({ size, times: batch(size) }));
  const spawned = somePins(processes).map(({ address }) => {
    const element = `{ ${address} . tcp . 443 timeout 600s }`;
    return timed(() => spawnSync('nft', ['add', 'element', 'inet', 'mitos', 'tap-0/pins-ipv4', element]))
      .took;
  });
  datapath.shutDown();
  close(fd);
  return {
    measurements: [
      ...sizes.map(({ size, times }, index) =>
        rate(size === 1 ? 'pins, one by one' : `pins, batches of ${size}`, 'pins', times, {
          each: size,
          leads: index === 0,
        }),
      ),
      rate('  one nft process each', 'pins', spawned),
    ],
    notes: [
      `pins until the kernel’s answer: ${sizes.map(({ size, times }) => `${size} in ${(median(times) * 1_000).toFixed(1)} µs`).join(', ')}; a process of nft ${(median(spawned) * 1_000).toFixed(0)} µs`,
    ],
  };
}
