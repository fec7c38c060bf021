/** Generators of what a host and its forks go through: who answers in each fork, and what comes between. */
import * as fc from 'fast-check';
import { type Disturbance, type ForkScript, inhabitants } from '../models/fork-world.ts';
import type { Device } from '../models/kernel-generator.ts';
import { device } from './reseed.ts';

const fork = fc.nat({ max: 2 });
/** A fork from its start to its release takes some 14 turns, and they share the scheduler. */
const after = fc.nat({ max: 40 });
const item = fc.constantFrom('token' as const, 'secrets' as const, 'exec' as const, 'files' as const);
const service = fc.constantFrom('exec' as const, 'files' as const, 'configure' as const);

const disturbance: fc.Arbitrary<Disturbance> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant('deliver' as const), fork, item, after }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('ask the agent' as const), fork, service, after }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('stray release' as const),
      fork,
      by: fc.constantFrom(0, -1, 1),
      after,
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('kill -9' as const), after }) },
  fc.record({ what: fc.constant('deadline' as const), fork, after }),
  fc.record({ what: fc.constant('notify again' as const), fork, after }),
);

const mostly = <T>(weight: number, usual: T, rare: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ withCrossShrink: true }, { weight, arbitrary: fc.constant(usual) }, rare);

/** One to three forks, up to four disturbances. */
export const forkScript: fc.Arbitrary<ForkScript> = fc.record({
  forks: fc.array(
    fc.record({
      inhabitant: mostly(2, 'agent' as const, fc.constantFrom(...inhabitants)),
      device: mostly<Device>(4, 'working', device),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  freezeWorks: mostly(40, true, fc.constant(false)),
  storeCapacity: mostly(5, 64, fc.nat({ max: 8 })),
  storeAnswersTwice: mostly(3, false, fc.constant(true)),
  disturbances: fc.array(disturbance, { maxLength: 4 }),
});
