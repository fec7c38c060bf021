/** `pnpm bench fork` in a process of its own: folder, parts. Says on stderr how far it is, prints figures as JSON. */
import './hashed-octets.ts';
import { readdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import type { Part } from '../datapath/figures.ts';
import { type Ground, openGround, say } from './ground.ts';
import { hashedOctets } from './hashed-octets.ts';
import { latencyPart } from './latency-part.ts';
import { livePart } from './live-part.ts';
import { type ForkPart, isForkPart } from './parts.ts';
import { ownVmms } from './processes.ts';
import { ratePart } from './rate-part.ts';

const run: Readonly<Record<ForkPart, (ground: Ground) => Promise<Part>>> = {
  latency: latencyPart,
  live: livePart,
  rate: ratePart,
};

async function under(accelerator: Accelerator, folder: string, parts: readonly ForkPart[]): Promise<Part> {
  say(`${accelerator}: artifacts, and a template of them`);
  const before = hashedOctets();
  const ground = await openGround(folder, accelerator);
  const { engine, template } = ground;
  const made: Part[] = [];
  try {
    const hashed = hashedOctets() - before;
    if (hashed < template.memoryMiB << 20) throw new Error(`only ${hashed} octets were seen being hashed`);
    const built = `template built in ${(template.buildMs / 1_000).toFixed(1)} s from cached artifacts; ${hashed.toLocaleString('en-US')} octets hashed for it, the control of the counter`;
    made.push({ measurements: [], notes: [`${engine.vmm}`, built] });
    for (const part of parts) made.push(await run[part](ground));
  } finally {
    await engine.close();
  }
  const left = ownVmms();
  made.push({ measurements: [], notes: [`left of it: ${left.length === 0 ? 'no VM' : `VMs ${left}`}`] });
  return {
    measurements: made.flatMap(({ measurements }) => measurements),
    notes: made.flatMap(({ notes }) => notes),
  };
}

const [, , folder = '', ...names] = process.argv;
const unknown = names.find((name) => !isForkPart(name));
if (unknown !== undefined || readdirSync(folder).length > 0)
  throw new Error(`bad part or folder: ${unknown ?? folder}`);
const parts = names.filter(isForkPart);
const loadBefore = loadavg()[0] ?? 0;
const { accelerator, reason } = await probeAccelerator();
const tcg = await under('tcg', `${folder}/tcg`, parts);
const kvm = accelerator === 'kvm' ? await under('kvm', `${folder}/kvm`, parts) : null;
const load = `load average ${loadBefore.toFixed(1)} at the beginning, ${(loadavg()[0] ?? 0).toFixed(1)} at the end`;
const notes = [...tcg.notes, ...(kvm?.notes ?? [`KVM: not measured: ${reason}`]), load];
const measurements = [...tcg.measurements, ...(kvm?.measurements ?? [])];
process.stdout.write(JSON.stringify({ measurements, notes }));
process.exit(0);
