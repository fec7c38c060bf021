/** What a run of an attack on forks amounts to, as the record that every tier writes. */
import { subjectDigest } from '#properties/matrix/environment.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { type BuiltInSubject, builtInSubjects, type DatapathSubject } from '#properties/subjects/subject.ts';
import type { VmmPort } from '#reference/contract/vmm-port.ts';
import { keep } from '../fixtures/evidence.ts';
import { reportFolderOr } from '../report/report-folder.ts';
import { forkAttackNamed, forkAttacks, forkShowpieces } from './catalogue.ts';
import type { ForkAttack, Seen } from './fork-attack.ts';

export interface ForkJob {
  readonly attack: string;
  /** A mutant is of the reference. */
  readonly subject: DatapathSubject;
  readonly seed: number;
}

export const forkReportFolder = reportFolderOr('reports/fork');
export const exhibitsFile = 'exhibits.json';
const maxSteps = 100;
/** The negative controls have to share nearly everything, and not something by chance. */
const leastShare = 0.9;

export function commonOfFork({ attack: id, subject, seed }: ForkJob) {
  const { claim, expected } = forkAttackNamed(id);
  const isMutant = subject.startsWith('mutant:');
  return {
    claim,
    subject,
    tier: 'vm' as const,
    attack: id,
    expected: isMutant ? ('falsified' as const) : expected[subject as BuiltInSubject],
    judgedCases: 0,
    seed,
    replay: `pnpm e2e:fork --grep '${id} .*${subject}$'`,
    subjectDigest: subjectDigest(subject),
  };
}

/** Never counted as passed. */
export function forkWithoutVerdict(
  job: ForkJob,
  outcome: 'unsupported' | 'not-run' | 'crashed' | 'hung',
  reason: string,
): CellRecord {
  return { ...commonOfFork(job), outcome, asExpected: false, reason };
}

/** As a record names it: VMM, accelerator and the guests' kernels. @throws where no guest ran: nothing was attacked */
export function ranOn(
  { version, accelerator }: Pick<VmmPort, 'version' | 'accelerator'>,
  kernels: string,
): string {
  if (kernels === '') throw new Error('no guest of a known kernel ran');
  return `QEMU ${version}, ${accelerator}, guests of Linux ${kernels}`;
}

/** @param where as `ranOn` */
export function forkRecord(job: ForkJob, seen: Seen, where: string): CellRecord {
  const attack = forkAttackNamed(job.attack);
  const common = commonOfFork(job);
  const folder = `${forkReportFolder}/${job.subject.replace(':', '-')}/${attack.id}`;
  const steps = [where, ...seen.steps, ...seen.effects].slice(0, maxSteps);
  const exhibits = JSON.stringify(seen.exhibits, null, 2);
  keep(folder, { ...seen.files, [exhibitsFile]: exhibits, 'steps.txt': `${steps.join('\n')}\n` });
  if (seen.closed !== null) {
    const reason = `positive control failed: ${seen.closed} (${attack.control}); see ${folder}`;
    return { ...common, outcome: 'not-run', asExpected: false, reason };
  }
  const outcome = seen.effects.length === 0 ? ('holds' as const) : ('falsified' as const);
  const weak = outcome === 'falsified' ? seen.exhibits.filter(({ share }) => share < leastShare) : [];
  return {
    ...common,
    judgedCases: seen.judgedCases,
    outcome,
    asExpected: outcome === common.expected && weak.length === 0,
    ...(weak.length === 0
      ? {}
      : { reason: `less than 0.9 is the same: ${weak.map(({ reader }) => reader).join(', ')}` }),
    evidence: {
      case: `${attack.id} on ${where}`,
      observed: seen.effects[0] ?? `nothing of the kind; ${seen.steps.at(-1) ?? ''}`.slice(0, 400),
      required: attack.statement,
      requiredRule: attack.source,
      steps: steps.slice(0, 40),
      shrinks: 0,
      replayed: false,
      folder,
    },
  };
}

/** Who an attack is run on. */
export function subjectsOf({ expected, falsifiedBy = [] }: ForkAttack): DatapathSubject[] {
  const own: DatapathSubject[] = builtInSubjects.filter((subject) => expected[subject] !== 'no-input');
  return [...own, ...falsifiedBy.map((mutant) => `mutant:${mutant}` as const)];
}

/** The one attack of each claim that has cells at tier vm, on each subject that has such an input. */
export function planForks(
  claims: readonly { readonly id: string }[],
  subjects: readonly BuiltInSubject[],
  seed: number,
): ForkJob[] {
  const isAll = subjects.length === builtInSubjects.length;
  const showpieces = new Set(forkShowpieces.values());
  return forkAttacks
    .filter(({ id, claim }) => showpieces.has(id) && claims.some((one) => one.id === claim))
    .flatMap((attack) =>
      subjectsOf(attack)
        .filter((subject) =>
          subject.startsWith('mutant:') ? isAll : subjects.some((one) => one === subject),
        )
        .map((subject) => ({ attack: attack.id, subject, seed })),
    );
}
