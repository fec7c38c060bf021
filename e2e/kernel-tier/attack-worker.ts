/**
 * Runs attacks that come as JSON lines on stdin, one at a time, and writes a record a line. A process of its own: it
 * enters namespaces, and may be one of a user namespace. Invariant: it ends when whoever started it is gone.
 */
import { createInterface } from 'node:readline';
import type { DnsLab } from '#kvm-lab/providers/dns-lab.ts';
import { NetnsLab } from '#kvm-lab/providers/netns/netns.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { attackNamed } from '../attacks/catalogue.ts';
import { runAttack } from '../fixtures/run-attack.ts';
import { dnsLabOf, runDnsAttack } from '../fixtures/run-dns-attack.ts';
import { type AttackJob, isDnsAttack } from './plan-attacks.ts';

const labs = new Map<string, DnsLab>();

/** Its datapath's process waits for the next attack on the same subject. */
function labOf({ subject, attack }: AttackJob): DnsLab {
  const isDns = isDnsAttack(attack);
  const { engine = 'husk' } = isDns ? {} : attackNamed(attack);
  const key = `${subject} ${engine}${isDns && subject.startsWith('mutant:') ? ' dns' : ''}`;
  const lab = labs.get(key) ?? (isDns ? dnsLabOf(subject) : new NetnsLab(subject, engine));
  labs.set(key, lab);
  return lab;
}

async function recordOf(job: AttackJob): Promise<CellRecord> {
  const options = { seed: job.seed, lab: labOf(job) };
  if (isDnsAttack(job.attack)) return (await runDnsAttack(job.attack, job.subject, options)).record;
  return runAttack(job.attack, job.subject, { ...options, trace: job.trace === true });
}

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line) as AttackJob;
  const record = await recordOf(job);
  process.stdout.write(`${JSON.stringify(record)}\n`);
}
await Promise.all([...labs.values()].map((lab) => lab.close()));
process.exit(0);
