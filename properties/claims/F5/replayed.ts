/** F5.replayed: whoever can read a claim can copy its stamp. */
import { memoryCase, move, singleMoves } from '../../arbitraries/memory-moves.ts';
import { type Author, elsewhere, home, type MemoryWorld, people } from '../../models/memory-world.ts';
import { defineClaim } from '../claim.ts';
import { memoryClaim } from '../memory-claim.ts';

/** The claim is deleted and made again, with its spec and its annotation, while admission does not look. */
function copies(author: Author, namespace = home) {
  return (world: MemoryWorld) => {
    const { stamp } = world.claim;
    world.admission = false;
    world.makeClaim(author, {}, namespace, stamp);
    world.admission = true;
  };
}

const moves = [
  move('eve makes the claim again with a copy of the stamp while admission is off', copies(people.eve)),
  move(
    'mallory makes the claim again with a copy of the stamp while admission is off',
    copies(people.mallory),
  ),
  move('alice makes the claim again with a copy of the stamp while admission is off', copies(people.alice)),
  move('mallory makes the claim elsewhere with a copy of the stamp', copies(people.mallory, elsewhere)),
];

export const claim = defineClaim(
  memoryClaim(
    {
      id: 'F5.replayed',
      statement:
        'A stamp that is copied to a claim which was made again with the same name and spec carries no trust.',
      source:
        'findings.md F5 Reference: "claims admitted without the check carry no trust"; a stamp is written before the claim has a UID',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
      weight: 0.5,
    },
    memoryCase({ before: moves, between: moves }),
    'findings.md F5: the check was made for another claim',
    singleMoves(moves),
  ),
);
