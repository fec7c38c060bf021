/**
 * Which attacks run at tier vm where there is no time for all: the showpiece of each claim on the three subjects, and
 * on the reference some more of each claim.
 * Invariant: no claim is left out; the order of the catalogue decides, never chance.
 */
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import { allAttacks } from './catalogue.ts';
import { allDnsAttacks } from './dns-catalogue.ts';
import { showpieces } from './showpieces.ts';

/** Of each claim on the datapath, its showpiece included. */
const mostOfClaim = 5;

function chosen(): ReadonlySet<string> {
  const byClaim = Map.groupBy(allAttacks, ({ claim }) => claim);
  const datapath = [...byClaim.values()].flatMap((attacks) => {
    // From the whole of a family's list, not from its beginning alone.
    const step = Math.max(1, Math.floor(attacks.length / mostOfClaim));
    return attacks.filter((_, index) => index % step === 0).slice(0, mostOfClaim);
  });
  return new Set(datapath.map(({ id }) => id));
}

const onReference = chosen();
const onAll = new Set<string>([
  ...Object.values(showpieces),
  ...allDnsAttacks.flatMap(({ id, showpiece }) => (showpiece ? [id] : [])),
]);

export const isSelected = (id: string, subject: BuiltInSubject): boolean =>
  onAll.has(id) || (subject === 'reference' && onReference.has(id));
