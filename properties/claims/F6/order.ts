/** F6.order: reseed, gate, release; then everything else. */
import * as fc from 'fast-check';
import { forkScript } from '../../arbitraries/fork-scripts.ts';
import { schedule, schedulerOf } from '../../arbitraries/schedules.ts';
import { describeDisturbance, type ForkScript, ForkWorld } from '../../models/fork-world.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';

interface OrderCase {
  readonly script: ForkScript;
  readonly schedule: number;
}

/** Every message when the scheduler says so. */
async function run(subject: Subject, { script, schedule: number }: OrderCase): Promise<ForkWorld> {
  const scheduler = schedulerOf(number);
  const turns: Promise<void>[] = [];
  const world = new ForkWorld(subject, script, (act) => {
    turns.push(scheduler.schedule(Promise.resolve()).then(act));
  });
  world.start();
  await scheduler.waitIdle();
  await Promise.all(turns);
  return world;
}

const peaceful: ForkScript = {
  forks: [{ inhabitant: 'agent', device: 'working' }],
  freezeWorks: true,
  storeCapacity: 64,
  storeAnswersTwice: false,
  disturbances: [{ what: 'deliver', fork: 0, item: 'exec', after: 64 }],
};

/** One message after the other: a token is handed over and exec is served in the guest, sooner or later. */
function honestForkIsServed(subject: Subject): string | null {
  const queue: (() => void)[] = [];
  const world = new ForkWorld(subject, peaceful, (act) => queue.push(act));
  world.watching = false;
  world.start();
  for (let act = queue.shift(); act !== undefined; act = queue.shift()) act();
  return world.served > 0 ? null : 'an honest fork is never served exec';
}

export const claim = defineClaim<OrderCase>({
  id: 'F6.order',
  statement:
    'No secret, token or exec passes before the gate, and no workload of the guest runs before the reseed and the host’s release.',
  source: 'findings.md F6 Reference; system.md, host ↔ guest protocol',
  decisions: ['agent-step', 'activation-step'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  async: true,
  weight: 0.3,
  arbitrary: () => fc.record({ script: forkScript, schedule }),
  control: honestForkIsServed,
  judge: async (subject, input) => (await run(subject, input)).violation,
  notation: (input) => `${describe(input.script)}; schedule ${input.schedule}`,
  async observe(subject, input) {
    const { violation, delivered, steps } = await run(subject, input);
    const got = delivered.length === 0 ? 'nothing delivered' : `delivered ${delivered.join(', ')}`;
    return `${steps.length} steps; ${got}; ${violation === null ? 'nothing too early' : `${violation.observed}  [${violation.observedRule}]`}`;
  },
});

function describe({
  forks,
  freezeWorks,
  storeCapacity,
  storeAnswersTwice,
  disturbances,
}: ForkScript): string {
  return [
    ...forks.map(({ inhabitant, device }, index) =>
      inhabitant === 'agent' ? `fork ${index}: agent, /dev/random ${device}` : `fork ${index}: ${inhabitant}`,
    ),
    ...(freezeWorks ? [] : ['the freeze fails']),
    ...(storeCapacity < 64 ? [`store of ${storeCapacity} keys`] : []),
    ...(storeAnswersTwice ? ['the store answers twice'] : []),
    ...disturbances.map((disturbance) => `after ${disturbance.after}: ${describeDisturbance(disturbance)}`),
  ].join('; ');
}
