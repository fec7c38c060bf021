/**
 * select-husk selects a pod exactly when the oracle allows one, and only such a one, in every pool of a
 * small scope: one pod in all combinations of its fields, two pods with one fault each.
 */
import {
  type Selection,
  type SelectionCase,
  selectHusk,
} from '#reference/decisions/select-husk/select-husk.ts';
import { pool } from '../models/husk-pod.ts';
import { mutants } from '../mutants/select-husk.ts';
import { addressNumber } from '../oracles/addresses/address-number.ts';
import { whyNotReached } from '../oracles/husk-oracle.ts';
import { mutantsNamed, type Proof, type ProofMutant } from './proof.ts';
import {
  holder,
  huskScope,
  lonePods,
  pairs,
  recordChoices,
  type ScopedScene,
  type StrangePod,
  strangePods,
} from './scope/husk-scope.ts';

/** Mistakes that only objects of other types show. */
const untyped: readonly ProofMutant[] = [
  {
    id: 'null-is-an-object',
    mistake: 'null is read as if it had fields',
    file: 'reference/decisions/json-values.ts',
    find: "return typeof value === 'object' && value !== null && !Array.isArray(value);",
    replace: "return typeof value === 'object' && !Array.isArray(value);",
  },
];

const anyWarm = { pool, operation: 'activate', holder, podUid: null } as const;

export const proof: Proof = {
  name: 'select-husk',
  statement:
    'In every pool of the scope a pod is selected only if the ledger holds it for the asker, it is owned, unchanged, Ready and at an ' +
    'address of its own; if there is such a pod, one is selected; nothing that JSON can hold makes the decision throw.',
  bounds: huskScope(),
  assumptions: [
    'Pods do not matter to each other but for their addresses, so that two are enough; more than one fault at once is tried on one pod.',
    'Which of several pods that may be reached is selected is free.',
  ],
  mutants: [
    ...mutantsNamed(mutants, [
      'unrecorded-pod-accepted',
      'controller-reference-not-required',
      'block-owner-deletion-not-required',
      'first-controller-reference-counts',
      'kind-without-group',
      'group-by-prefix',
      'owner-kind-not-compared',
      'owner-name-not-compared',
      'owner-uid-not-compared',
      'spec-hash-not-compared',
      'host-network-not-hashed',
      'restarted-container-accepted',
      'running-ephemeral-container-accepted',
      'first-ready-condition-counts',
      'loopback-dialled',
      'link-local-dialled',
      'mapped-address-dialled',
      'multicast-dialled',
      'shared-address-dialled',
      'addresses-compared-as-text',
      'second-address-unchecked',
      'address-of-the-node-dialled',
      'unreported-container-accepted',
      'reaches-any-held-pod',
      'holder-not-compared',
    ]),
    ...untyped,
  ],
  async run({ scale, progress }) {
    const total = { scenes: 0, selections: 0, strange: 0 };
    const counts = () => ({
      'pools decided': total.scenes,
      'pods selected': total.selections,
      'pods of other types': total.strange,
    });
    const scopes =
      scale === 'full'
        ? [lonePods(Number.POSITIVE_INFINITY), pairs(recordChoices)]
        : [lonePods(2), pairs(recordChoices.slice(0, 3))];
    for (const scope of scopes) {
      for (const scoped of scope) {
        total.scenes += 1;
        const trace = judge(scoped, total);
        if (trace !== null) return { outcome: 'refuted', counts: counts(), trace };
        if (total.scenes % 20_000 === 0) progress(counts());
      }
    }
    for (const strange of strangePods()) {
      total.strange += 1;
      const trace = judgeStrange(strange);
      if (trace !== null) return { outcome: 'refuted', counts: counts(), trace };
    }
    return { outcome: 'proved', counts: counts() };
  },
};

/** The selection, or what the decision threw: never the right answer. */
function select(input: SelectionCase): Selection | string {
  try {
    return selectHusk(input);
  } catch (error) {
    return `throws ${String(error)}`;
  }
}

/** An object that no API server stores makes no sense to the oracle: it must do no harm. */
function judgeStrange({ pod, says, record }: StrangePod): string[] | null {
  const selection = select({ ...anyWarm, pods: [pod], ledger: [record] });
  const selected = typeof selection === 'string' ? null : selection.pod;
  const { namespace, name, uid } = record.pod;
  const harmless =
    selected === null || (selected.namespace === namespace && selected.name === name && selected.uid === uid);
  if (typeof selection !== 'string' && harmless) return null;
  return [
    `pod        ${says}`,
    `record     ${name} (${uid}), warm`,
    `reference  ${typeof selection === 'string' ? selection : JSON.stringify(selected)}`,
    'oracle     a verdict, and no pod but that of the record',
  ];
}

function judge({ scene, says }: ScopedScene, total: { selections: number }): string[] | null {
  const selection = select(scene);
  const refusals = scene.pods.map((pod) => whyNotReached(scene, pod));
  const selected = typeof selection === 'string' ? null : selection.pod;
  const index = scene.pods.findIndex(({ metadata }) => metadata.uid === selected?.uid);
  if (selected !== null) total.selections += 1;
  const why = selected === null ? null : (refusals[index] ?? wrongTarget(scene, index, selected));
  const right = selected === null ? !refusals.includes(null) : why === null;
  if (right && typeof selection !== 'string') return null;
  return [
    ...says.map((line, at) => `pod        ${line}${at === index ? '  <- selected' : ''}`),
    `asked      ${scene.podUid ?? 'any warm pod'} for ${scene.holder}`,
    `reference  ${sentenceOf(selection)}`,
    `oracle     ${why === null ? requirement(scene, refusals) : `not that one  [${why}]`}`,
  ];
}

function sentenceOf(selection: Selection | string): string {
  if (typeof selection === 'string') return selection;
  const { pod, rule, refusals } = selection;
  return pod === null ? `nothing  [${refusals.map((one) => one.rule).join('; ')}]` : `${pod.uid}  [${rule}]`;
}

function requirement({ pods }: ScopedScene['scene'], refusals: readonly (string | null)[]): string {
  const free = pods[refusals.indexOf(null)];
  return free === undefined ? `nothing  [${refusals.join('; ')}]` : `select ${free.metadata.uid}`;
}

/** What is written to and dialled must be that pod; null when it is. */
function wrongTarget(
  scene: ScopedScene['scene'],
  index: number,
  selected: NonNullable<ReturnType<typeof selectHusk>['pod']>,
): string | null {
  const pod = scene.pods[index];
  if (pod === undefined) return 'no pod of the pool';
  const { namespace, name, resourceVersion } = pod.metadata;
  if (selected.namespace !== namespace || selected.name !== name) return 'it has another name';
  if (selected.resourceVersion !== resourceVersion) return 'it has another resourceVersion';
  const dialled = addressNumber(selected.address).value;
  return dialled === addressNumber(pod.status.podIP ?? '').value ? null : 'it has another address';
}
