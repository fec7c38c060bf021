/** What was observed of the published gate at resume. */
import { type GateInput, MemoryWorld, people } from '../../models/memory-world.ts';
import { gateConfig } from '../../models/resume-run.ts';
import type { resumeGate } from '../../protocol/resume-gate.ts';
import type { Observed } from '../observed.ts';

const memory = 'sha256:5a5a';

/** Alice's claim was admitted and its memory captured; then something happens. */
function asked(operation: GateInput['operation'], happen: (world: MemoryWorld) => void = () => undefined) {
  const world = new MemoryWorld();
  happen(world);
  return structuredClone(world.input(operation));
}

type Row = Observed<typeof resumeGate>;

const resumes = (says: string, input: GateInput, digest = memory): Row => ({
  says,
  config: gateConfig,
  input,
  output: { verdict: 'resume', memory: digest },
});

export const observed: readonly Row[] = [
  resumes('the gate is one string comparison at resume', asked('resume')),
  {
    says: 'the gate is one string comparison at resume',
    config: gateConfig,
    input: asked('resume', (world) => world.makeClaim(people.alice, { serviceAccount: 'other' })),
    output: { verdict: 'refuse' },
  },
  resumes(
    'the principal has no namespace (a forged revision in another namespace with the same account name is resumed)',
    asked('resume', (world) => {
      world.makeClaim(people.mallory, {}, 'team-b');
      world.revision('team-b', memory, 'agent');
    }),
  ),
  resumes(
    'memory captured without a principal resumes for any claim without one',
    asked('resume', (world) => {
      world.makeClaim(people.mallory, { serviceAccount: undefined });
      world.captured('sha256:a0a0', null);
    }),
    'sha256:a0a0',
  ),
  resumes(
    'create workspacerevisions alone makes a forged revision the head, with any memory reference and principal',
    asked('resume', (world) => {
      world.revision('team-a', 'sha256:0bad', 'agent');
    }),
    'sha256:0bad',
  ),
  resumes(
    'what ties memory to its revision lives in process memory and is lost at a restart',
    asked('resume', (world) => {
      world.bindings = [];
    }),
  ),
  resumes(
    'enabling the webhook after the fact leaves old claims trusted',
    asked('resume', (world) => {
      world.admission = false;
      world.makeClaim(people.mallory);
    }),
  ),
  {
    says: 'memory captured without a principal',
    config: gateConfig,
    input: asked('capture', (world) => world.makeClaim(people.mallory, { serviceAccount: undefined })),
    output: { verdict: 'capture' },
  },
];
