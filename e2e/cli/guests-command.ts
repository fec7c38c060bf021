/** `pnpm lab guests`: the guests that a lab can be made of, what each does, and who of its forks the gate refuses. */
import { type ZooGuest, zoo } from '#kvm-lab/guests/zoo.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { table } from '../report/terminal.ts';
import { exitCodes } from './exit-codes.ts';

/** @throws CodedError `unknown-guest` */
export function parseGuest(name: string): string {
  if (zoo.some((guest) => guest.name === name)) return name;
  throw new CodedError('unknown-guest', `there is no guest '${name}'`, 'choose one of pnpm lab guests');
}

const refusedIs: Readonly<Record<ZooGuest['refused'], string>> = {
  never: 'none',
  always: 'every one',
  'all siblings but one': 'all but the first',
  'forks of its fork': 'those of its first fork',
  clones: 'all but one of those alike',
};

export async function guestsCommand(flags: { json?: true }): Promise<number> {
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ v: 1, guests: zoo }, null, 2)}\n`);
    return exitCodes.asDeclared;
  }
  const rows = zoo.map(({ name, does, refused, seenBy }) => [
    name,
    refusedIs[refused],
    refused === 'never' ? '' : seenBy,
    does,
  ]);
  process.stdout.write(
    `${table([['guest', 'forks that are refused', 'seen by its', 'what it does'], ...rows])}\n`,
  );
  return exitCodes.asDeclared;
}
