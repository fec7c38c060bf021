/** A hundred forks of one template at once: all alive, no two alike, and what each holds for itself. */
import { setTimeout as wait } from 'node:timers/promises';
import { median, type Part, quantile } from '../datapath/figures.ts';
import { bound, type Ground, said, say } from './ground.ts';
import { privateMemory } from './processes.ts';

const wanted = 100;
const atOnce = 2;
const idleMs = 2_000;
const reading = [
  '/bin/sh',
  '-c',
  'cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /etc/machine-id /etc/hostname; head -c 16 /dev/urandom | xxd -p',
];
const read = 5;

export async function livePart(ground: Ground): Promise<Part> {
  const { engine, vmm, template } = ground;
  const [before, ids]: [number, string[]] = [vmm.forks.length, []];
  const begin = async () => {
    while (ids.length < wanted) {
      // Taken before it is there, so that no more than are wanted are begun.
      const place = ids.push('') - 1;
      ids[place] = (await engine.fork({ template: template.id, network: null, secrets: [] })).id;
      if (place % 20 === 19) say(`live: ${place + 1} of ${wanted}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, begin));
  await wait(idleMs);
  const idle = vmm.forks.slice(before).map(({ pid }) => privateMemory(pid));
  const standing = engine.sandboxes().length;
  say('live: each is asked for what must be its own');
  const words: string[] = [];
  for (const id of ids) words.push(...(await said(ground, id, ...reading)).trim().split('\n'));
  const differ = new Set(words).size;
  for (const id of ids) await engine.terminate(id);
  const guest = idle.map(({ guestKib }) => guestKib / 1_024);
  const whole = idle.map(({ processKib }) => processKib / 1_024);
  const isDistinct = standing === wanted && words.length === read * wanted && differ === words.length;
  return {
    measurements: [],
    notes: [
      `private guest memory of an idle fork: p50 ${median(guest).toFixed(2)} MiB, ${Math.max(...guest).toFixed(2)} MiB at most (Anonymous in smaps of what QEMU maps as the guest’s memory)`,
      `private memory of its QEMU, the guest’s included: p50 ${median(whole).toFixed(0)} MiB (translated code is most of it)`,
      `${standing} forks live at once, ${differ} of ${words.length} readings distinct (boot ID, machine ID, hostname, uuid, /dev/urandom)`,
      bound('≤ 3 MiB private guest memory, p99', quantile(guest, 0.99), 'MiB', quantile(guest, 0.99) <= 3),
      bound(`${wanted} live forks, all distinct`, standing, 'forks', isDistinct),
    ],
  };
}
