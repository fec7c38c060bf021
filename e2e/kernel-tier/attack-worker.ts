/**
 * Runs attacks that come as JSON lines on stdin, one at a time, and writes a record a line. A process of its own: it
 * enters namespaces, and may be one of a user namespace. Invariant: it ends when whoever started it is gone.
 */
import { createInterface } from 'node:readline';
import { NetnsLab } from '#kvm-lab/providers/netns/netns.ts';
import type { NetworkLab } from '#kvm-lab/providers/network-lab.ts';
import { attackNamed } from '../attacks/catalogue.ts';
import { runAttack } from '../fixtures/run-attack.ts';
import type { AttackJob } from './plan-attacks.ts';

const labs = new Map<string, NetworkLab>();

/** Its datapath's process waits for the next attack on the same subject. */
function labOf({ subject, attack }: AttackJob): NetworkLab {
  const { engine = 'husk' } = attackNamed(attack);
  const key = `${subject} ${engine}`;
  const lab = labs.get(key) ?? new NetnsLab(subject, engine);
  labs.set(key, lab);
  return lab;
}

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line) as AttackJob;
  const record = await runAttack(job.attack, job.subject, {
    seed: job.seed,
    lab: labOf(job),
    trace: job.trace === true,
  });
  process.stdout.write(`${JSON.stringify(record)}\n`);
}
for (const lab of labs.values()) lab.close();
process.exit(0);
