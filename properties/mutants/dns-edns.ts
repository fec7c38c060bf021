/** One-line mistakes in what the DNS decisions read of an OPT record, each killed by a claim on messages. */
import type { Mutant } from './mutant.ts';

const wire = 'reference/decisions/dns-answer/wire.ts';

export const mutants: readonly Mutant[] = [
  {
    id: 'extended-rcode-ignored',
    mistake: 'BADVERS is taken for the NOERROR of its header',
    file: wire,
    find: 'code |= (bytes[record.dataOffset - 6] as number) << 4;',
    replace: '',
    killedBy: 'F1.chain',
  },
];
