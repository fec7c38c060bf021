/**
 * claim-step over a typical life of a claim: created, Ready, deleted, gone. Every event of that life is
 * recorded in a world of the model API server, then decided again and again; the published controller lives
 * its own life in a world of its own.
 */
import { ClaimWorld } from '#properties/models/claim-world.ts';
import { pool } from '#properties/models/husk-pod.ts';
import type { claimStep } from '#properties/protocol/claim-step.ts';
import type { Bound, ConfigOf, InputOf } from '#properties/protocol/decision.ts';
import { type ErasedBind, subjectFrom } from '#properties/subjects/load-subject.ts';
import { bind as bindPublished } from '#properties/subjects/published/claim-step.ts';
import { bind as bindReference } from '#properties/subjects/reference/claim-step.ts';
import type { Benchmark, BenchmarkMeasurement } from './benchmark.ts';
import { type Contender, measure } from './measure.ts';

type Config = ConfigOf<typeof claimStep>;
type Bind = (config: Config) => Bound<typeof claimStep>;

interface Decided {
  readonly decide: Bound<typeof claimStep>;
  readonly input: InputOf<typeof claimStep>;
}

const husks = 8;
const mostTurns = 400;

/** Every event that one controller thinks about, from the creation of a claim until nothing is left of it. */
function life(bind: Bind, planted: number): readonly Decided[] {
  const decided: Decided[] = [];
  const recording: Bind = (config) => {
    const decide = bind(config);
    return (input) => {
      decided.push({ decide, input });
      return decide(input);
    };
  };
  const subject = subjectFrom('recorded', new Map([['claim-step', recording as ErasedBind]]));
  const world = new ClaimWorld(
    subject,
    Array.from({ length: husks }, () => 'honest' as const),
    ['db'],
  );
  for (let index = 0; index < planted; index++) {
    world.plant(`a-${index}`, { 'mitos.run/husk': 'true', 'mitos.run/pool': 'another' });
  }
  const spec = { poolRef: pool.name, secrets: [{ name: 'db', secretRef: 'db' }] };
  world.addOwner('SandboxClaim', 'claim-0', spec);
  const settle = () => {
    let idle = 0;
    for (let turn = 0; turn < mostTurns && idle < 3; turn++) {
      world.sync(0);
      idle = world.turn(0, 0) ? 0 : idle + 1;
    }
  };
  settle();
  world.api.remove({ kind: 'SandboxClaim', namespace: pool.namespace, name: 'claim-0' });
  settle();
  const [owner] = world.owners;
  if (owner === undefined || world.ownerObject(owner) !== null) {
    throw new Error("the bench's claim did not come to its end");
  }
  return decided;
}

const decisions = (name: string, lived: readonly Decided[]): Contender => ({
  name,
  run(count) {
    let actions = 0;
    for (let done = 0; done < count; done++) {
      const { decide, input } = lived[done % lived.length] as Decided;
      actions += decide(input).actions.length;
    }
    return actions;
  },
});

export const claimStepBenchmark: Benchmark = {
  summary: `decisions on one core over the life of a claim, ${husks} warm husks; peer: the published handling, its own life`,
  async run() {
    const measurements: BenchmarkMeasurement[] = [];
    const notes: string[] = [];
    for (const planted of [0, 1_000]) {
      const among = planted === 0 ? 'alone' : `among ${planted.toLocaleString('en-US')} planted pods`;
      const [ours, theirs] = [life(bindReference, planted), life(bindPublished, planted)];
      const measured = measure([
        decisions(`claim-step, ${among}`, ours),
        decisions(`  published, ${among}`, theirs),
      ]);
      measurements.push(
        ...measured.map((one, index) => ({
          ...one,
          unit: 'decisions',
          ...(index === 0 ? { leads: true as const } : {}),
        })),
      );
      const lives = Math.round((measured[0]?.perSecond ?? 0) / ours.length);
      notes.push(
        `${among}: a life is ${ours.length} decisions (published: ${theirs.length}); ${lives.toLocaleString('en-US')} lives/s`,
      );
    }
    return { measurements, notes };
  },
};
