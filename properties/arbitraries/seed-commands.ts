/**
 * Commands that lead seeds through a host's life: forks begin, the store answers late or twice, guests
 * answer or not, the host dies.
 */
import * as fc from 'fast-check';
import { SeedWatch } from '../models/seed-watch.ts';
import { WitnessStore } from '../models/witness-store.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';
import { octetsOf } from './reseed.ts';

interface Model {
  forks: number;
  /** A violation ends the run: later commands are not checked in. */
  over: boolean;
}
type SeedCommand = fc.Command<Model, SeedWatch>;

const maxForks = 6;

function command(
  text: string,
  effect: (watch: SeedWatch, model: Model) => void,
  check: (model: Readonly<Model>) => boolean = ({ forks }) => forks > 0,
): SeedCommand {
  return {
    check: (model) => !model.over && check(model),
    run(model, watch) {
      effect(watch, model);
      model.over = watch.violation !== null;
    },
    toString: () => text,
  };
}

const begin = fc.constantFrom(32, 48, 64).map((octets) =>
  command(
    `a fork begins, the host draws ${octets} octets`,
    (watch, model) => {
      const number = model.forks++;
      watch.begin({
        fork: `fork-${number}`,
        snapshot: 'sha256:template',
        generation: number + 1,
        seed: octetsOf(`seed ${number}`, octets),
        nonce: octetsOf(`nonce ${number}`),
      });
    },
    ({ forks }) => forks < maxForks,
  ),
);
const index = fc.nat({ max: maxForks - 1 });
const nameOf = (watch: SeedWatch, number: number) => `fork-${number % Math.max(1, watch.begun.length)}`;

const answer = index.map((number) =>
  command(`the store answers insert ${number}`, (watch) => watch.answer(number)),
);
const again = fc.constant(
  command('the store repeats its last answer', (watch) => {
    if (watch.lastAnswer !== null) watch.send(watch.lastAnswer);
  }),
);
const respond = fc
  .tuple(index, fc.constantFrom('as its agent does', 'that it did not reseed', 'late'))
  .map(([number, how]) =>
    command(`fork ${number} answers ${how}`, (watch) => {
      const fork = nameOf(watch, number);
      const line =
        how === 'that it did not reseed' ? '{"ok":false,"reseeded_rng":false}' : watch.answers.get(fork);
      if (line === undefined) return;
      watch.send({ kind: 'response', fork, line, elapsedMs: how === 'late' ? 1001 : 5, witness: null });
    }),
  );
const event = fc
  .tuple(index, fc.constantFrom('deadline' as const, 'gone' as const))
  .map(([number, kind]) =>
    command(`fork ${number}: ${kind}`, (watch) => watch.send({ kind, fork: nameOf(watch, number) })),
  );
const deliver = fc
  .tuple(index, fc.constantFrom('token' as const, 'exec' as const))
  .map(([number, what]) =>
    command(`${what} for fork ${number}`, (watch) =>
      watch.send({ kind: 'deliver', fork: nameOf(watch, number), what }),
    ),
  );
const released = index.map((number) =>
  command(`fork ${number} says it is released`, (watch) => {
    const fork = nameOf(watch, number);
    const generation = watch.begun.find((begun) => begun.fork === fork)?.generation ?? 0;
    watch.send({ kind: 'released', fork, generation, ok: true });
  }),
);
const restart = fc.constant(command('kill -9, start again', (watch) => watch.restart()));

export type SeedCase = Iterable<SeedCommand>;

export function seedCase(replayPath: string | undefined): fc.Arbitrary<SeedCase> {
  const commands = [begin, begin, answer, answer, respond, again, event, deliver, released, restart];
  return fc.commands(commands, { maxCommands: 14, ...(replayPath === undefined ? {} : { replayPath }) });
}

/** Runs the commands; the first violation, or null. */
export function runSeedCase(
  subject: Subject,
  input: SeedCase,
): { violation: Violation | null; watch: SeedWatch } {
  const watch = new SeedWatch(subject, new WitnessStore(64));
  fc.modelRun(() => ({ model: { forks: 0, over: false }, real: watch }), input);
  return { violation: watch.violation, watch };
}

/** The commands that ran, without fast-check's replay comment. */
export function notationOfSeeds(input: SeedCase): string {
  return String(input)
    .replace(/\/\*.*\*\//, '')
    .replace(/,(?! )/g, '\n')
    .trim();
}
