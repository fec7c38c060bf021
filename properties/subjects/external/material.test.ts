/**
 * What programs are held to: the reference is as it must be, the published fix is not, and no decision is
 * forgotten. The subjects answer in place here; over pipes they do in e2e/cli/cli.test.ts.
 */
import { describe, expect, test } from 'vitest';
import { type DecisionName, decisions } from '../../protocol/decisions.ts';
import { type ErasedBind, importBinds } from '../load-subject.ts';
import { asJson } from './expectation.ts';
import { checkableDecisions, type Finding, loadMaterial, notCheckable, type Question } from './material.ts';

type Bound = (input: unknown) => unknown;

/** Holds a talk with a subject in this process; everything goes through JSON, as over a pipe. */
function hold({ config, talk }: Question, bind: (config: unknown) => Bound): Finding | null {
  const bound = bind(asJson(config));
  const going = talk();
  let step = going.next();
  while (step.done !== true) step = going.next({ output: asJson(bound(asJson(step.value))) });
  return step.value;
}

async function subjectOf(subject: 'reference' | 'published', name: DecisionName) {
  const bind = (await importBinds(subject, [name])).get(name) as ErasedBind;
  return (config: unknown) => bind(config as never) as Bound;
}

const budget = { inputs: 600, seed: 7 };
test('every decision has a material, or a reason why a program cannot be held to it', () => {
  const names = Object.keys(decisions) as DecisionName[];
  const forgotten = names.filter((name) => !checkableDecisions.includes(name) && !(name in notCheckable));
  expect(forgotten).toEqual([]);
  expect(checkableDecisions.filter((name) => name in notCheckable)).toEqual([]);
});

describe.each(checkableDecisions)('%s', async (name) => {
  const material = await loadMaterial(name);
  const vectors = material.vectors();
  const generated = await material.generate(budget);

  test('always asks what was ordered, and vectors where a corpus has its shape', () => {
    expect(generated.length).toBeGreaterThan(0);
    expect(vectors.length > 0).toBe(material.corpus !== null);
    expect(generated.every(({ source }) => source === 'generated')).toBe(true);
  });

  test('never finds anything wrong with the reference', async () => {
    const bind = await subjectOf('reference', name);
    const found = [...vectors, ...generated].map((question) => hold(question, bind));
    expect(found.filter((finding) => finding !== null)).toEqual([]);
  });

  test('always finds out the published fix, in vectors and in generated inputs', async () => {
    const bind = await subjectOf('published', name);
    const wrong = (questions: readonly Question[]) =>
      questions.filter((question) => hold(question, bind) !== null).length;
    expect(wrong(generated)).toBeGreaterThan(0);
    if (vectors.length > 0) expect(wrong(vectors)).toBeGreaterThan(0);
  });

  test('always finds out outputs outside the schema', () => {
    const some = [...vectors.slice(0, 5), ...generated.slice(0, 5)];
    const findings = some.map((question) => hold(question, () => () => ({ nonsense: true })));
    for (const finding of findings) expect(String(finding?.got)).toMatch(/^outside the schema/);
  });

  test('always asks the same of the same seed', async () => {
    const again = await material.generate(budget);
    const first = (questions: readonly Question[]) => questions.map(({ talk }) => talk().next().value);
    expect(first(again)).toEqual(first(generated));
  });
});

const steps = checkableDecisions.filter((name) => 'event' in decisions[name].example.input);

test.each(steps)('%s always finds out a program that forgets its state', async (name) => {
  const { continues, generate } = await loadMaterial(name);
  const bind = await subjectOf('reference', name);
  const forgetful = (config: unknown) => (input: unknown) =>
    bind(config)({ ...(input as object), state: null });
  expect(continues).toBe(true);
  const questions = await generate(budget);
  expect(questions.filter((question) => hold(question, forgetful) !== null).length).toBeGreaterThan(0);
});

describe('select-husk', () => {
  test('never minds which of several good pods a program takes', async () => {
    const { generate } = await loadMaterial('select-husk');
    const bind = await subjectOf('reference', 'select-husk');
    /** The same rules, and the last pod first. */
    const backwards = (config: unknown) => (input: unknown) => {
      const { pods, ...scene } = input as { pods: readonly unknown[] };
      return bind(config)({ ...scene, pods: pods.toReversed() });
    };
    const questions = await generate(budget);
    expect(questions.filter((question) => hold(question, backwards) !== null)).toEqual([]);
    const differs = questions.filter((question) => {
      const input = question.talk().next().value;
      return JSON.stringify(bind({})(input)) !== JSON.stringify(backwards({})(input));
    });
    expect(differs.length).toBeGreaterThan(0);
  });
});

describe('pin-ledger', () => {
  test('never minds how a program names its actions, and hands those names back', async () => {
    const { generate } = await loadMaterial('pin-ledger');
    const bind = await subjectOf('reference', 'pin-ledger');
    const own = (text: string) => text.replaceAll(/"actionId":"([^"]*)"/g, '"actionId":"own $1"');
    const reference = (text: string) => text.replaceAll(/"actionId":"own ([^"]*)"/g, '"actionId":"$1"');
    const renaming = (config: unknown) => {
      const bound = bind(config);
      return (input: unknown) => {
        const { state, event } = input as { state: unknown; event: unknown };
        const asked = JSON.parse(reference(JSON.stringify(event))) as unknown;
        const { state: next, ...output } = bound({ state, event: asked }) as { state: unknown };
        return { ...(JSON.parse(own(JSON.stringify(output))) as object), state: next };
      };
    };
    const questions = await generate(budget);
    expect(
      questions.map((question) => hold(question, renaming)).filter((finding) => finding !== null),
    ).toEqual([]);
  });
});

test.each(['nothing', 'claim-step', '../material'])(
  '%s is refused by its name, with what is valid',
  async (name) => {
    await expect(loadMaterial(name)).rejects.toMatchObject({
      code: 'unknown-decision',
      message: expect.stringContaining(name),
      remediation: expect.stringContaining('pin-address'),
    });
  },
);
