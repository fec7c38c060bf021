/**
 * select-husk selects a pod exactly when the oracle allows one, and only such a one, in every pool of a
 * small scope: one pod in all combinations of its fields, two pods with one fault each.
 */
import { selectHusk } from '#reference/decisions/select-husk/select-husk.ts';
import { mutants } from '../mutants/select-husk.ts';
import { addressNumber } from '../oracles/addresses/address-number.ts';
import { whyNotReached } from '../oracles/husk-oracle.ts';
import { mutantsNamed, type Proof } from './proof.ts';
import { huskScope, lonePods, pairs, recordChoices, type ScopedScene } from './scope/husk-scope.ts';

export const proof: Proof = {
  name: 'select-husk',
  statement:
    'In every pool of the scope a pod is selected only if the ledger holds it for the asker, it is owned, unchanged, Ready and at an ' +
    'address of its own; if there is such a pod, one is selected.',
  bounds: huskScope(),
  assumptions: [
    'Pods do not matter to each other but for their addresses, so that two are enough; more than one fault at once is tried on one pod.',
    'Which of several pods that may be reached is selected is free.',
    'Objects that no API server stores (fields of other types) are not in the scope.',
  ],
  mutants: mutantsNamed(
    mutants,
    mutants.map(({ id }) => id),
  ),
  async run({ scale, progress }) {
    const total = { scenes: 0, selections: 0 };
    const counts = () => ({ 'pools decided': total.scenes, 'pods selected': total.selections });
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
    return { outcome: 'proved', counts: counts() };
  },
};

function judge({ scene, says }: ScopedScene, total: { selections: number }): string[] | null {
  const selection = selectHusk(scene);
  const refusals = scene.pods.map((pod) => whyNotReached(scene, pod));
  const { pod: selected } = selection;
  const index = scene.pods.findIndex(({ metadata }) => metadata.uid === selected?.uid);
  const why = selected === null ? null : (refusals[index] ?? wrongTarget(scene, index, selected));
  if (selected !== null) total.selections += 1;
  if (selected === null ? !refusals.includes(null) : why === null) return null;
  const pods = says.map((line, at) => `pod        ${line}${at === index ? '  <- selected' : ''}`);
  const asked = scene.podUid === null ? 'any warm pod' : scene.podUid;
  const ours =
    selected === null ? `nothing  [${selection.refusals.map(({ rule }) => rule).join('; ')}]` : selected.uid;
  const theirs =
    selected === null
      ? `select ${scene.pods[refusals.indexOf(null)]?.metadata.uid}`
      : `not that one  [${why}]`;
  return [
    ...pods,
    `asked      ${asked} for ${scene.holder}`,
    `reference  ${ours}${selected === null ? '' : `  [${selection.rule}]`}`,
    `oracle     ${theirs}`,
  ];
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
