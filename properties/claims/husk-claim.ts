/**
 * What the F3 claims on selection have in common: a pool in which some pods are the controller's own and
 * others were planted or changed.
 */
import type * as fc from 'fast-check';
import { type Scene, type SceneCase, sceneOf } from '../arbitraries/husk-scenes.ts';
import { genuinePod, pool, recordOf } from '../models/husk-pod.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';
import type { HuskVector } from '../vectors/generate/husk-pods/husk-vector.ts';
import { loadCorpus } from '../vectors/load-corpus.ts';
import type { Claim } from './claim.ts';

/** One object: bindings are cached by its identity. */
export const selectConfig = {};

export function selectFrom(subject: Subject, { pods, ledger }: Scene, holder: string) {
  return subject.decide(
    'select-husk',
    selectConfig,
  )({
    pool,
    pods: [...pods],
    ledger: [...ledger],
    operation: 'activate',
    holder,
    podUid: null,
    podName: null,
  });
}

/** The path is open: a genuine warm husk is selected. */
export function genuineHuskIsSelected(subject: Subject): string | null {
  const pod = genuinePod('pool-husk-0', 'uid-husk-0', '10.0.0.1');
  const { pod: selected, rule } = selectFrom(
    subject,
    { pods: [pod], ledger: [recordOf(pod)], hostile: {} },
    'uid-claim',
  );
  return selected?.uid === pod.metadata.uid ? null : `a genuine warm husk is not selected: ${rule}`;
}

let corpus: readonly HuskVector[] | null = null;

/** Published vectors in which no pod may be reached, of which ids begin so. */
export function negativeVectors(...beginnings: readonly string[]): readonly HuskVector[] {
  corpus ??= loadCorpus<HuskVector>('husk-pods').vectors;
  return corpus.filter(
    ({ id, flags }) => flags.includes('negative') && beginnings.some((beginning) => id.startsWith(beginning)),
  );
}

/** A vector that says that no pod may be reached. */
export function judgeVector(subject: Subject, vector: HuskVector, requiredRule: string): Violation | null {
  const { pod, rule } = subject.decide('select-husk', selectConfig)(vector.input);
  if (pod === null) return null;
  return {
    observed: `reaches ${pod.name} (${pod.uid}) at ${pod.address}`,
    observedRule: rule,
    required: `reach no pod: ${vector.rule}`,
    requiredRule,
  };
}

export const isVector = (input: object): input is HuskVector => 'verdict' in input;

export const notationOfVector = ({ id, comment }: HuskVector) => `vector ${id}: ${comment}`;

type Declared = Pick<Claim, 'id' | 'statement' | 'source' | 'expected' | 'blindSpot'>;

/** A claim that no hostile pod of a scene is ever selected; published vectors come first. */
export function sceneClaim(
  declared: Declared,
  cases: fc.Arbitrary<SceneCase>,
  requiredRule: string,
  vectors: readonly string[],
): Claim<SceneCase | HuskVector> {
  return {
    ...declared,
    decisions: ['select-husk'],
    examples: () => negativeVectors(...vectors),
    arbitrary: () => cases,
    control: genuineHuskIsSelected,
    judge: (subject, input) =>
      isVector(input) ? judgeVector(subject, input, requiredRule) : judgeScene(subject, input, requiredRule),
    notation: (input) => (isVector(input) ? notationOfVector(input) : describe(input)),
    observe(subject, input) {
      const { pod, rule } = isVector(input)
        ? subject.decide('select-husk', selectConfig)(input.input)
        : selectFrom(subject, sceneOf(input), input.holder);
      return `${pod === null ? 'refused' : `selected ${pod.name} (${pod.uid})`}  [${rule}]`;
    },
  };
}

function judgeScene(subject: Subject, input: SceneCase, requiredRule: string): Violation | null {
  const scene = sceneOf(input);
  const { pod, rule } = selectFrom(subject, scene, input.holder);
  if (pod === null) return null;
  const why = scene.hostile[pod.uid];
  if (why === undefined) return null;
  return {
    observed: `selects ${pod.name}: ${why}`,
    observedRule: rule,
    required: 'never select it',
    requiredRule,
  };
}

function describe({ genuine, hostile }: SceneCase): string {
  const bad = hostile.map(
    ({ attack, recorded, sortsFirst }) =>
      `${recorded ? 'a husk of the ledger' : 'a planted pod'}${sortsFirst ? ' whose name sorts first' : ''}: ${attack.says}`,
  );
  return [`${genuine} genuine husks`, ...bad].join('; ');
}
