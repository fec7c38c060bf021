/** F5.resume: what admission found is asked again, and what it never looked at is not trusted. */
import { memoryCase, move, singleMoves, stampSays } from '../../arbitraries/memory-moves.ts';
import {
  accountName,
  elsewhere,
  home,
  type MemoryWorld,
  people,
  type Right,
  workspaceName,
} from '../../models/memory-world.ts';
import { defineClaim } from '../claim.ts';
import { memoryClaim } from '../memory-claim.ts';

const targets = { impersonate: accountName, resume: workspaceName } as const;

function revokes(right: Right) {
  return (world: MemoryWorld) => {
    for (const who of ['user:alice', 'group:operators']) {
      world.rights.delete(`${who} ${right} ${home}/${targets[right]}`);
    }
  };
}

/** The right is there, and for something else. */
function movesRight(right: Right, to: string) {
  return (world: MemoryWorld) => {
    revokes(right)(world);
    for (const who of ['user:alice', 'group:operators']) world.rights.add(`${who} ${right} ${to}`);
  };
}

const unguarded = (then: (world: MemoryWorld) => void) => (world: MemoryWorld) => {
  world.admission = false;
  then(world);
  world.admission = true;
};

/** Stamp, account and running sandbox agree with each other, and not with what the claim names. */
function allSay(part: Readonly<Record<string, string>>) {
  return (world: MemoryWorld) => {
    const { stamp, object } = world.claim;
    const account = world.accounts.get(`${home}/${accountName}`);
    if (stamp?.principal == null || account === undefined) return;
    const principal = { ...stamp.principal, ...part };
    stampSays(world, { principal });
    world.started.set(object.metadata.uid, principal);
    world.accounts.set(`${home}/${accountName}`, { ...account, metadata: principal });
    for (const who of ['user:alice', 'group:operators']) {
      world.rights.add(`${who} impersonate ${principal.namespace}/${principal.name}`);
    }
  };
}

const unchecked = [
  move(
    'mallory makes the claim while admission is off',
    unguarded((world) => world.makeClaim(people.mallory)),
  ),
  move(
    'alice makes the claim while admission is off',
    unguarded((world) => world.makeClaim(people.alice)),
  ),
  move(
    'eve changes its pool while admission is off',
    unguarded((world) => world.changeClaim(people.eve, { poolRef: 'pool-of-eve' })),
  ),
  move(
    'eve adds a Secret to it while admission is off',
    unguarded((world) => world.changeClaim(people.eve, { secrets: [{ name: 'x', secretRef: 'x' }] })),
  ),
  move('the stamp is of another namespace', (world) => stampSays(world, { namespace: elsewhere })),
  move('the stamp is of another claim', (world) => stampSays(world, { name: 'claim-2' })),
  move('the stamp is of another spec', (world) => stampSays(world, { specHash: '0'.repeat(64) })),
  move('the stamp says that the claim names no principal', (world) => stampSays(world, { principal: null })),
  move('the stamp names a principal of another namespace', (world) => {
    const principal = world.claim.stamp?.principal ?? null;
    stampSays(world, { principal: principal && { ...principal, namespace: elsewhere } });
  }),
  move('stamp, account and sandbox are of other, the claim names agent', allSay({ name: 'other' })),
  move('stamp, account and sandbox are of another namespace', allSay({ namespace: elsewhere })),
  move('the stamp names the principal other', (world) => {
    const principal = world.accounts.get(`${home}/other`)?.metadata ?? null;
    stampSays(world, { principal });
  }),
];

const moves = [
  move('eve, who may impersonate and not resume, makes the claim', (world) => world.makeClaim(people.eve)),
  move('impersonate is revoked', revokes('impersonate')),
  move('resume is revoked', revokes('resume')),
  move('impersonate is granted for another account alone', movesRight('impersonate', `${home}/other`)),
  move('impersonate is granted elsewhere alone', movesRight('impersonate', `${elsewhere}/${accountName}`)),
  move('resume is granted for another workspace alone', movesRight('resume', `${home}/own`)),
  move('resume is granted elsewhere alone', movesRight('resume', `${elsewhere}/${workspaceName}`)),
  move('eve, who may impersonate and not resume, changes the claim', (world) =>
    world.changeClaim(people.eve, { poolRef: 'pool-of-eve' }),
  ),
  move('the claim was made with a token of alice that is scoped to less', (world) => {
    const { stamp, checked } = world.claim;
    if (stamp === null || checked === null) return;
    const author = people.scoped;
    world.claim = { ...world.claim, stamp: { ...stamp, author }, checked: { ...checked, author } };
    world.see();
  }),
  ...unchecked,
];

export const claim = defineClaim(
  memoryClaim(
    {
      id: 'F5.resume',
      statement:
        'The gate re-checks at resume: the author of the claim may impersonate the principal and may `resume` `workspaces/memory` now; `impersonate` alone does not resume; a claim whose namespace, name or spec admission did not check is never trusted.',
      source:
        'findings.md F5 Reference: "the resume gate re-checks at resume (RBAC may have been revoked since admission); claims admitted without the check carry no trust"',
      blindSpot: 'whether a stamp verifies is decided with the key, before the gate',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    memoryCase({ before: moves, between: unchecked }),
    'findings.md F5: impersonate and resume, asked now, for a claim that admission checked',
    singleMoves(moves),
  ),
);
