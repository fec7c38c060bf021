/** F5.anonymous: memory without a principal is nobody's. */
import { memoryCase, move, singleMoves } from '../../arbitraries/memory-moves.ts';
import { type MemoryWorld, people } from '../../models/memory-world.ts';
import { defineClaim } from '../claim.ts';
import { memoryClaim } from '../memory-claim.ts';

const nobody: readonly (readonly [string, unknown])[] = [
  ['absent', undefined],
  ['null', null],
  ['empty', ''],
  ['a space', ' '],
  ['0', 0],
  ['false', false],
  ['a list', []],
  ['a list with a name', ['agent']],
  ['an object with a name', { name: 'agent' }],
  ['a name with a newline', 'agent\n'],
  ['a name with a NUL', 'agent\0'],
  ['a name with capitals', 'Agent'],
  ['a path', '../agent'],
  ['a user name', 'system:serviceaccount:team-a:agent'],
];

const withoutPrincipal = (world: MemoryWorld) => world.captured('sha256:a0a0', null);

const claimsAsNobody = nobody.map(([says, serviceAccount]) =>
  move(`alice’s next claim names its account so: ${says}`, (world) => {
    world.makeClaim(people.alice, { serviceAccount });
  }),
);

/** As if the API server stored such an account: all that is read agrees, and it is no name of an account. */
const claimsAsNoName = ['agent\n', 'Agent', '../agent', '-agent', 'agent.', 'a'.repeat(254), '*'].map(
  (name) =>
    move(`an account named ${JSON.stringify(name)} is there, and alice’s next claim is of it`, (world) => {
      world.makeAccount('team-a', name);
      world.rights.add(`user:alice impersonate team-a/${name}`);
      world.makeClaim(people.alice, { serviceAccount: name });
    }),
);

const anonymousMemory = [
  move('memory is captured without a principal', withoutPrincipal),
  move('memory is captured without a principal, and a record of it without one is there', (world) => {
    withoutPrincipal(world);
    const { metadata: workspace } = world.workspaceOf('team-a');
    const revisionUid = world.servedHead()?.metadata.uid ?? '';
    const principal = { namespace: '', name: '', uid: '' };
    world.bindings = [...world.bindings, { memory: 'sha256:a0a0', workspace, revisionUid, principal }];
  }),
];

const nobodysMemoryForNobody = nobody.slice(0, 3).map(([says, serviceAccount]) =>
  move(`memory without a principal, a claim whose account is ${says}`, (world) => {
    withoutPrincipal(world);
    world.makeClaim(people.mallory, { serviceAccount });
  }),
);

const startedAsNobody = move('the sandbox was started before its claim named a principal', (world) => {
  const { author } = world.claim;
  world.makeClaim(author, { serviceAccount: undefined });
  world.changeClaim(author, { serviceAccount: 'agent' });
});

const moves = [
  ...nobodysMemoryForNobody,
  ...anonymousMemory,
  ...claimsAsNobody,
  ...claimsAsNoName,
  startedAsNobody,
];

export const claim = defineClaim(
  memoryClaim(
    {
      id: 'F5.anonymous',
      statement: 'Memory is neither captured nor resumed without a principal.',
      source:
        'findings.md F5 Residual: "memory captured without a principal resumes for any claim without one"',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    memoryCase({ before: [...moves, ...anonymousMemory] }),
    'findings.md F5: neither capture nor resume without one',
    singleMoves(moves),
  ),
);
