/** `pnpm bench dns` in a network namespace of its own: prints its figures as JSON. One parameter: minutes of memory. */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeLabFolder, removeLabFolder } from '../../leftovers/lab-folder.ts';
import type { Part } from './figures.ts';
import { allForwarders, isThere, unboundConfiguration } from './forwarders.ts';
import { elementsOf, layGround, loopback, stubPort, tables } from './ground.ts';
import { latencyPart } from './latency-part.ts';
import { malformedPart } from './malformed-part.ts';
import { memoryPart } from './memory-part.ts';
import { RunningForwarder, spawnTied } from './running-forwarder.ts';
import { throughputPart } from './throughput-part.ts';

const [, , minutes = ''] = process.argv;
const stub = fileURLToPath(new URL('./upstream-stub.ts', import.meta.url));

async function bench(forwarders: readonly RunningForwarder[]): Promise<Part> {
  const ours = forwarders.find(({ forwarder }) => forwarder.id === 'ours');
  if (ours === undefined) throw new Error('ours is not there');
  if (minutes !== '') return memoryPart(ours, Number(minutes));
  for (const running of forwarders) await warmUp(running);
  const { measurements, notes, perSecond } = await throughputPart(forwarders);
  const parts = [await latencyPart(forwarders, perSecond), await malformedPart(forwarders)];
  return { measurements, notes: [...notes, ...parts.flatMap((part) => part.notes)] };
}

/** A pinning forwarder that pins nothing would be measured for nothing. */
const setsOf: Readonly<Record<string, readonly [set: string, table: string]>> = {
  ours: [tables.ourSet, tables.inet],
  'ours-dgram': [tables.ourSet, tables.dgram],
  'dnsmasq-nftset': [tables.dnsmasqSet, tables.inet],
  published: [tables.publishedSet, tables.inet],
};

async function warmUp(running: RunningForwarder): Promise<void> {
  await running.warmUp();
  const { id, title } = running.forwarder;
  const [set, table] = setsOf[id] ?? [];
  if (set !== undefined && elementsOf(set, table) === 0) throw new Error(`${title.trim()} pinned nothing`);
}

const folder = makeLabFolder('bench');
const running: RunningForwarder[] = [];
try {
  layGround();
  writeFileSync(join(folder, 'unbound.conf'), unboundConfiguration);
  spawnTied([process.execPath, stub, loopback, String(stubPort)]);
  const all = allForwarders(folder).filter(({ id }) => minutes === '' || id === 'ours');
  const notes = all
    .filter((forwarder) => !isThere(forwarder))
    .map(({ title, remedy }) => `not measured: ${title.trim()}: it is not installed: ${remedy}`);
  for (const forwarder of all.filter(isThere)) running.push(await RunningForwarder.start(forwarder));
  const before = loadavg()[0] ?? 0;
  const part = await bench(running);
  const load = `load average ${before.toFixed(1)} at the beginning, ${(loadavg()[0] ?? 0).toFixed(1)} at the end`;
  process.stdout.write(JSON.stringify({ ...part, notes: [...part.notes, ...notes, load] }));
} finally {
  for (const forwarder of running) await forwarder.stop();
  removeLabFolder(folder);
}
process.exit();
