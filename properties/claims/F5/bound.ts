/** F5.bound: memory belongs to the revision that the controller wrote for it, by UID. */
import * as fc from 'fast-check';
import { memoryCase, move, singleMoves } from '../../arbitraries/memory-moves.ts';
import { accountName, elsewhere, home, type MemoryWorld, workspaceName } from '../../models/memory-world.ts';
import { defineClaim } from '../claim.ts';
import { memoryClaim } from '../memory-claim.ts';

const [memory, later] = ['sha256:5a5a', 'sha256:c3c3'];

/** A tenant with a right on revisions writes the head that is there. */
function writesHead(world: MemoryWorld, fields: Readonly<Record<string, unknown>>): void {
  const head = world.servedHead();
  if (head !== undefined) head.spec = { ...head.spec, ...fields };
}

const capturesAgain = (world: MemoryWorld) => world.captured(later, world.claim.checked?.principal ?? null);

const forges = move(
  'eve creates a revision with this memory and principal, which makes it the head',
  (world) => {
    world.revision(home, memory, accountName);
  },
);
const lost = move('the records of what memory belongs to are lost', (world) => {
  world.bindings = [];
});
const rewrites = move(
  'a later memory is captured, and eve writes the earlier one into its revision',
  (world) => {
    capturesAgain(world);
    writesHead(world, { memorySnapshot: memory });
  },
);
const remakes = move(
  'the workspace is made again under its name, its status points at the old head',
  (world) => {
    const { status } = world.workspaceOf(home);
    world.makeWorkspace(home, workspaceName);
    Object.assign(world.workspaceOf(home), { status });
  },
);

const moves = [
  forges,
  lost,
  rewrites,
  remakes,
  move('eve creates a revision with a memory of another account', (world) => {
    world.captured(later, world.accounts.get(`${home}/other`)?.metadata ?? null);
    world.revision(home, later, accountName);
  }),
  move('eve writes another principal into the head', (world) =>
    writesHead(world, { memorySnapshotPrincipal: 'other' }),
  ),
  move('eve writes a memory that nobody captured into the head', (world) =>
    writesHead(world, { memorySnapshot: 'sha256:0bad' }),
  ),
  move('the record is of another revision', (world) => {
    world.bindings = world.bindings.map((one) => ({ ...one, revisionUid: 'uid-another' }));
  }),
  move('a second record ties another memory to this revision', (world) => {
    world.bindings = [...world.bindings, ...world.bindings.map((one) => ({ ...one, memory: later }))];
  }),
  move('a stale cache shows the head before the last', (world) => {
    const before = world.servedHead()?.metadata.uid ?? null;
    capturesAgain(world);
    world.staleHead = before;
  }),
  move('the revision is read in another namespace', (world) => {
    const head = world.servedHead();
    if (head !== undefined) head.metadata = { ...head.metadata, namespace: elsewhere };
  }),
  move('the workspace is read in another namespace', (world) => {
    const workspace = world.workspaceOf(home);
    workspace.metadata = { ...workspace.metadata, namespace: elsewhere };
  }),
  move('the workspace is read under another name', (world) => {
    const workspace = world.workspaceOf(home);
    workspace.metadata = { ...workspace.metadata, name: 'own' };
  }),
  move('the workspace has no head', (world) => {
    Object.assign(world.workspaceOf(home), { status: undefined });
  }),
];

export const claim = defineClaim(
  memoryClaim(
    {
      id: 'F5.bound',
      statement:
        'Only memory that the durable binding ties to this very revision (by UID) of this very workspace is resumed, and only that memory is loaded; a forged or rewritten head and a lost or ambiguous binding resume nothing.',
      source:
        'findings.md F5 Residual: "create workspacerevisions alone makes a forged revision the head"; "what ties memory to its revision lives in process memory and is lost at a restart"',
      blindSpot:
        'a head that is set back to an earlier revision of the same principal: F5.stamp keeps status the controller’s',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    memoryCase({
      before: moves,
      between: [forges, lost, rewrites, remakes],
      operation: fc.constantFrom('resume', 'resume', 'resume', 'capture'),
    }),
    'findings.md F5: bound durably to the memory; only the controller writes revisions',
    singleMoves(moves),
  ),
);
