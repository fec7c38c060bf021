/** F5.principal: a service account is a namespace, a name and a UID, wherever it is read. */
import { memoryCase, move, singleMoves } from '../../arbitraries/memory-moves.ts';
import { accountName, elsewhere, home, type MemoryWorld, people } from '../../models/memory-world.ts';
import { defineClaim } from '../claim.ts';
import { memoryClaim } from '../memory-claim.ts';

const account = `${home}/${accountName}`;
const mayBeOther = (world: MemoryWorld) => {
  for (const who of ['user:alice', 'group:operators']) world.rights.add(`${who} impersonate ${home}/other`);
};

/** The memory, and the record of it, are of an account that differs in one part. */
function memoryOf(world: MemoryWorld, part: Readonly<Record<string, string>>): void {
  world.bindings = world.bindings.map((one) => ({ ...one, principal: { ...one.principal, ...part } }));
  for (const [memory, captured] of world.memories) {
    if (captured.principal === null) continue;
    world.memories.set(memory, { ...captured, principal: { ...captured.principal, ...part } });
  }
}

function accountIs(world: MemoryWorld, part: Readonly<Record<string, string>>): void {
  const stored = world.accounts.get(account);
  if (stored === undefined) return;
  world.accounts.set(account, { ...stored, metadata: { ...stored.metadata, ...part } });
}

function headNames(world: MemoryWorld, memorySnapshotPrincipal: string): void {
  const head = world.servedHead();
  if (head !== undefined) head.spec = { ...head.spec, memorySnapshotPrincipal };
}

const remade = move('the account is deleted and made again', (world) => world.makeAccount(home, accountName));
const gone = move('the account is deleted', (world) => world.accounts.delete(account));
const elsewhereNow = move('the account is read in another namespace', (world) =>
  accountIs(world, { namespace: elsewhere }),
);
const otherNow = move('the account is read under another name', (world) =>
  accountIs(world, { name: 'other' }),
);
const ending = move('the account is being deleted', (world) =>
  accountIs(world, { deletionTimestamp: '2026-11-25T10:00:00Z' }),
);
const changed = move('its author changes the claim to the account other, as he may', (world) => {
  mayBeOther(world);
  world.changeClaim(world.claim.author, { serviceAccount: 'other' });
});

const moves = [
  remade,
  gone,
  ending,
  elsewhereNow,
  otherNow,
  changed,
  move('the account is made again, and alice’s next claim is admitted', (world) => {
    world.makeAccount(home, accountName);
    world.makeClaim(people.alice);
  }),
  move('the memory is of an account with this UID in another namespace', (world) =>
    memoryOf(world, { namespace: elsewhere }),
  ),
  move('the memory is of an account with this UID and another name', (world) => {
    memoryOf(world, { name: 'other' });
    headNames(world, 'other');
  }),
  move('the memory is of the account that was there before', (world) =>
    memoryOf(world, { uid: 'uid-before' }),
  ),
  move('alice claims as other, and the head is rewritten to other', (world) => {
    mayBeOther(world);
    world.makeClaim(people.alice, { serviceAccount: 'other' });
    headNames(world, 'other');
  }),
];

export const claim = defineClaim(
  memoryClaim(
    {
      id: 'F5.principal',
      statement:
        'Memory is captured for, bound to and resumed by one principal: the same namespace, name and UID in the stamp, the claim, the binding, the running sandbox and the service account as it is now.',
      source:
        'findings.md F5 Residual: "the principal has no namespace"; Reference: "its identity is namespace, name and UID, bound durably to the memory"',
      blindSpot: 'what admission writes into the stamp is F5.name',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    memoryCase({ before: moves, between: [remade, gone, ending, elsewhereNow, otherNow, changed] }),
    'findings.md F5: namespace, name and UID',
    singleMoves(moves),
  ),
);
