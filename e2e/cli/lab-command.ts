/** `pnpm lab doctor`: which tiers are ready here, and what to type for the others. */
import { examine, machine, type TierReadiness } from '#kvm-lab/doctor/doctor.ts';
import { listClaimIds, loadStatements } from '#properties/matrix/catalogue.ts';
import { painter, table } from '../report/terminal.ts';
import { exitCodes } from './exit-codes.ts';

/** 0 always when the machine could be examined: a missing tier is an answer, not a failure. */
export async function doctorCommand(flags: { json?: true }): Promise<number> {
  const tiers = examine();
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ v: 1, machine: machine(), tiers }, null, 2)}\n`);
    return exitCodes.asDeclared;
  }
  const paint = painter(process.stdout);
  const claims = await loadStatements(await listClaimIds());
  const rows = tiers.flatMap((tier) =>
    tierRows(tier, claims.filter(({ expected }) => tier.tier in expected).length),
  );
  const text = table([['tier', 'ready', 'part', 'seen', 'remedy'], ...rows], (cell, row, column) => {
    if (row === 0) return paint('bold', cell);
    if (column !== 1) return cell;
    return cell.trim() === 'no' || cell.trim() === 'missing' ? paint('yellow', cell) : paint('green', cell);
  });
  process.stdout.write(
    `${machine()}\n\n${text}\n\nA tier that is not ready is skipped by name, never counted as passed.\n`,
  );
  return exitCodes.asDeclared;
}

function tierRows({ tier, ready, findings }: TierReadiness, claims: number): string[][] {
  const attacks = claims === 0 ? 'no claim has attacks at this tier yet' : `${claims} claims`;
  return [
    [tier, ready ? 'yes' : 'no', '', attacks, ''],
    ...findings.map(({ what, there, detail, remedy }) => [
      '',
      there ? 'there' : 'missing',
      what,
      detail,
      remedy,
    ]),
  ];
}
