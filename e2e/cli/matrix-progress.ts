/** What a run of the matrix says while it runs, for people. */
import type { Claim } from '#properties/claims/claim.ts';
import type { MatrixProgress } from '#properties/matrix/matrix.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { cellBlock } from '../report/matrix-text.ts';
import { counted, groupDigits, type painter } from '../report/terminal.ts';

export interface TextProgress extends MatrixProgress {
  claims(): readonly Claim[];
  /** Of another tier: so many are to come, and this one is done. */
  attacks(count: number, tier: string): void;
  attacked(record: CellRecord): void;
  record(record: CellRecord): void;
  finish(): void;
}

const plainProgressIntervalMs = 10_000;

/** Counterexamples as they are found; a moving line on a terminal, a line every ten seconds elsewhere. */
export function matrixProgress(
  out: NodeJS.WriteStream,
  say: (text: string) => void,
  paint: ReturnType<typeof painter>,
): TextProgress {
  let claims: readonly Claim[] = [];
  let jobs = 0;
  let attacked = 0;
  let lastLineMs = performance.now();
  const clear = () => {
    if (out.isTTY === true) out.write('\r\u001b[K');
  };
  const tell = (line: string) => {
    if (out.isTTY === true) out.write(`\r\u001b[K${paint('dim', line)}`);
    else if (performance.now() - lastLineMs > plainProgressIntervalMs) {
      lastLineMs = performance.now();
      say(`… ${line}`);
    }
  };
  return {
    claims: () => claims,
    finish: clear,
    planned(chosen, cells, jobCount) {
      claims = chosen;
      jobs = jobCount;
      say(
        `${counted(claims.length, 'claim')}, ${counted(cells, 'cell')} in ${counted(jobCount, 'job')}; tier: decision.\n`,
      );
    },
    attacks(count, tier) {
      jobs = count;
      attacked = 0;
      clear();
      say(`${counted(count, 'attack')}; tier: ${tier}.\n`);
    },
    attacked(record) {
      attacked += 1;
      this.record(record);
      tell(`${attacked}/${jobs} attacks`);
    },
    advanced(done, judged) {
      tell(`${done}/${jobs} jobs, ${groupDigits(judged)} cases judged on the reference`);
    },
    record(record: CellRecord) {
      const isSkip = record.outcome === 'unsupported' || record.outcome === 'not-run';
      const isUnexpected = !record.asExpected && !isSkip;
      const wanted =
        isUnexpected || (record.outcome === 'falsified' && !record.subject.startsWith('mutant:'));
      if (!wanted) return;
      clear();
      say(`${cellBlock(record, paint)}\n`);
    },
  };
}
