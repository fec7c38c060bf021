/** One attack on one subject, on the lab of this process. */
import type { CellRecord } from '#properties/matrix/record.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { forkAttackNamed } from './catalogue.ts';
import { ForkLab } from './fork-lab.ts';
import { type ForkJob, forkRecord, forkWithoutVerdict, ranOn } from './fork-record.ts';
import { messageOf } from './message-of.ts';

let opened: Promise<ForkLab> | null = null;

export async function runForkJob(job: ForkJob, accelerator: Accelerator): Promise<CellRecord> {
  const attack = forkAttackNamed(job.attack);
  const isMutant = job.subject.startsWith('mutant:');
  const subject = isMutant ? 'reference' : (job.subject as BuiltInSubject);
  try {
    opened ??= ForkLab.open(accelerator);
    const lab = await opened;
    lab.kernelsUsed();
    const seen = await attack.run({ lab, subject, isMutant });
    return forkRecord(job, seen, ranOn(lab.vmm, lab.kernelsUsed()));
  } catch (error) {
    return forkWithoutVerdict(job, 'crashed', messageOf(error).slice(0, 1_000));
  }
}

export async function closeLab(): Promise<void> {
  await (await opened)?.close();
}
