/** F3.by-name: a predictable name reaches nothing. */
import * as fc from 'fast-check';
import { genuinePod, type HuskPod, pool, recordOf } from '../../models/husk-pod.ts';
import type { Subject } from '../../subjects/subject.ts';
import type { HuskVector } from '../../vectors/generate/husk-pods/husk-vector.ts';
import { defineClaim } from '../claim.ts';
import { isVector, judgeVector, negativeVectors, notationOfVector, selectConfig } from '../husk-claim.ts';

const operations = ['fork-child', 'fork-source', 'hydrate', 'dehydrate', 'remove-snapshot'] as const;

interface ByNameCase {
  readonly operation: (typeof operations)[number];
  /** What stands under the name that the operation would predict. */
  readonly planted:
    | 'a bare pod'
    | 'a pod with every label'
    | 'a perfect forgery'
    | 'a recreated husk'
    | 'a husk that the holder gave up'
    | 'the husk of another claim'
    | 'the husk of another claim, named by a forged status'
    | 'a warm husk';
  /** Whether the pod that the ledger means is there too. */
  readonly genuineIsThere: boolean;
}

const requiredRule = 'findings.md F3: for every operation that reaches a pod';
const holder = 'uid-claim';
const predicted = 'fork-fork-0';

function plantedPod(planted: ByNameCase['planted']): HuskPod {
  const pod = genuinePod(predicted, 'uid-planted', '10.0.1.1');
  switch (planted) {
    case 'a bare pod':
      return { ...pod, metadata: { ...pod.metadata, labels: {}, ownerReferences: [] } };
    case 'a pod with every label':
      return { ...pod, metadata: { ...pod.metadata, ownerReferences: [] } };
    default:
      return pod;
  }
}

/** The UID that the holder's status names. */
function meantUid(planted: ByNameCase['planted']): string {
  if (planted === 'a recreated husk') return 'uid-before';
  return planted.endsWith('forged status') ? 'uid-planted' : 'uid-husk-0';
}

function decide(subject: Subject, input: ByNameCase | HuskVector) {
  if (isVector(input)) return subject.decide('select-husk', selectConfig)(input.input);
  const { operation, planted, genuineIsThere } = input;
  const genuine = genuinePod('pool-husk-0', 'uid-husk-0', '10.0.0.1');
  const bad = plantedPod(planted);
  const ledger = [recordOf(genuine, holder)];
  if (planted.startsWith('the husk of another claim')) ledger.push(recordOf(bad, 'uid-claim-2'));
  if (planted === 'a warm husk') ledger.push(recordOf(bad));
  if (planted === 'a husk that the holder gave up') ledger.push(recordOf(bad, holder));
  // A husk that was deleted and made again under its name: the ledger knows the one before.
  if (planted === 'a recreated husk') {
    ledger.push(recordOf({ ...bad, metadata: { ...bad.metadata, uid: 'uid-before' } }, holder));
  }
  const podUid = meantUid(planted);
  return subject.decide(
    'select-husk',
    selectConfig,
  )({
    pool,
    pods: genuineIsThere ? [bad, genuine] : [bad],
    ledger,
    operation,
    holder,
    podUid,
    podName: predicted,
  });
}

export const claim = defineClaim<ByNameCase | HuskVector>({
  id: 'F3.by-name',
  statement:
    'Fork children, sources, hydrate, dehydrate and removal reach only pods of the ledger; a pod planted under a predictable name gets nothing.',
  source: 'findings.md F3 Residual: "fetched by predictable name only"',
  decisions: ['select-husk'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  examples: () => negativeVectors('operation/', 'held/'),
  arbitrary: () =>
    fc.record({
      operation: fc.constantFrom(...operations),
      planted: fc.constantFrom<ByNameCase['planted']>(
        'a bare pod',
        'a pod with every label',
        'a perfect forgery',
        'a recreated husk',
        'a husk that the holder gave up',
        'the husk of another claim',
        'the husk of another claim, named by a forged status',
        'a warm husk',
      ),
      genuineIsThere: fc.boolean(),
    }),
  control(subject) {
    for (const operation of operations) {
      const pod = genuinePod('pool-husk-0', 'uid-husk-0', '10.0.0.1');
      const { pod: reached } = subject.decide(
        'select-husk',
        selectConfig,
      )({
        pool,
        pods: [pod],
        ledger: [recordOf(pod, holder)],
        operation,
        holder,
        podUid: 'uid-husk-0',
        podName: 'pool-husk-0',
      });
      if (reached === null) return `${operation} does not reach the holder's own husk`;
    }
    return null;
  },
  judge(subject, input) {
    if (isVector(input)) return judgeVector(subject, input, requiredRule);
    const { pod, rule } = decide(subject, input);
    if (pod === null || pod.uid === 'uid-husk-0') return null;
    return {
      observed: `${input.operation} reaches ${pod.name} (${pod.uid})`,
      observedRule: rule,
      required: 'only the pod that the ledger names for the holder, by UID',
      requiredRule,
    };
  },
  notation(input) {
    if (isVector(input)) return notationOfVector(input);
    const { operation, planted, genuineIsThere } = input;
    return `${operation}: ${planted} stands under ${predicted}${genuineIsThere ? ', the genuine husk is there' : ''}`;
  },
  observe(subject, input) {
    const { pod, rule } = decide(subject, input);
    return `${pod === null ? 'refused' : `reaches ${pod.name} (${pod.uid})`}  [${rule}]`;
  },
});
