/** F5.served: whoever may, gets the memory; and what is asked about him is exactly him. */
import * as fc from 'fast-check';
import { type MemoryCase, move, notationOfMemory, runMemoryCase } from '../../arbitraries/memory-moves.ts';
import { accountName, elsewhere, home, type MemoryWorld, people } from '../../models/memory-world.ts';
import { type GateOutput, gateConfig } from '../../models/resume-run.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { aliceIsServed, describeOutput } from '../memory-claim.ts';

const stranger = (world: MemoryWorld) => {
  const { claim } = world;
  world.makeClaim(people.mallory, {}, elsewhere);
  world.claim = claim;
};

/** Nothing of it concerns the claim that is served. */
const moves = [
  move('mallory has a claim of the same name elsewhere', stranger),
  move('mallory forges a head elsewhere', (world) => {
    world.revision(elsewhere, 'sha256:5a5a', accountName);
  }),
  move('mallory makes a claim elsewhere while admission is off', (world) => {
    world.admission = false;
    stranger(world);
    world.admission = true;
  }),
  move('mallory tries to change the claim, and is refused', (world) => {
    world.changeClaim(people.mallory, { serviceAccount: 'other' });
  }),
  move('the account has dots in its name', (world) => {
    world.makeAccount(home, 'build.bot-1.x');
    for (const who of ['user:alice', 'group:operators']) {
      world.rights.add(`${who} impersonate ${home}/build.bot-1.x`);
    }
    world.makeClaim(world.claim.author, { serviceAccount: 'build.bot-1.x' });
    world.captured('sha256:d4d4', world.claim.checked?.principal ?? null);
  }),
  move('the author changes the pool', (world) =>
    world.changeClaim(world.claim.author, { poolRef: 'pool-2' }),
  ),
  move('the author makes the claim again', (world) => {
    const { author, object } = world.claim;
    world.makeClaim(author, object.spec);
  }),
  move('later memory is captured', (world) =>
    world.captured('sha256:c3c3', world.claim.checked?.principal ?? null),
  ),
  move('other accounts are made', (world) => world.makeAccount(elsewhere, accountName)),
  move('a record of another revision is there', (world) => {
    const [record] = world.bindings;
    if (record !== undefined) world.bindings = [{ ...record, revisionUid: 'uid-another' }, ...world.bindings];
  }),
  move('the claim has a label of a megabyte', (world) => {
    const { object } = world.claim;
    const labels = { note: 'x'.repeat(1_048_576) };
    world.claim = { ...world.claim, object: { ...object, metadata: { ...object.metadata, labels } } };
  }),
  move('eve gains and loses rights', (world) => {
    world.rights.add(`user:eve resume ${home}/ws`);
    world.rights.delete(`user:eve resume ${home}/ws`);
  }),
];

/** What a review says about who asks, and nothing about what. */
function whoIsAsked(output: GateOutput): readonly string[] {
  return (output.reviews ?? []).map(({ user, uid, groups, extra }) =>
    JSON.stringify({ username: user, uid, groups, extra }),
  );
}

function judge(subject: Subject, input: MemoryCase): Violation | null {
  const { world, attempted } = runMemoryCase(subject, input);
  const { output, steps } = attempted;
  const required = 'findings.md F5: user, uid, groups and extra exactly; nothing else stands in the way';
  const { author } = world.claim.checked ?? {};
  const asked = whoIsAsked(subject.decide('resume-gate', gateConfig)(world.input(input.operation)));
  const wrong = asked.find((one) => one !== JSON.stringify(author));
  if (wrong !== undefined) {
    return {
      observed: `asks about ${wrong}`,
      observedRule: output.rule,
      required: `ask about ${JSON.stringify(author)}`,
      requiredRule: required,
      steps,
    };
  }
  if (output.verdict === input.operation) return null;
  return {
    observed: describeOutput(output),
    observedRule: output.rule,
    required: `${input.operation} it: ${author?.username} holds the rights, now`,
    requiredRule: required,
    steps,
  };
}

export const claim = defineClaim<MemoryCase>({
  id: 'F5.served',
  statement:
    'An author who may act as the principal has its memory captured and, with the verb of its own, resumed, whatever strangers do; the reviews carry user, uid, groups and extra exactly as the stamp does.',
  source: 'findings.md F5 Reference: a gate that refuses everybody proves nothing',
  decisions: ['resume-gate'],
  expected: { decision: { vulnerable: 'holds', published: 'holds', reference: 'holds' } },
  weight: 0.5,
  arbitrary: () =>
    fc.record({
      author: fc.constantFrom('alice' as const, 'grace' as const),
      operation: fc.constantFrom('resume' as const, 'capture' as const),
      before: fc.array(fc.constantFrom(...moves), { maxLength: 3 }),
      between: fc.constant([]),
      trouble: fc.constant(null),
    }),
  control: aliceIsServed,
  judge,
  notation: notationOfMemory,
  observe: (subject, input) => runMemoryCase(subject, input).attempted.steps.join('\n'),
});
