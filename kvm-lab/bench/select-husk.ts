/**
 * select-husk over ten thousand pods as an API server stores them, beside the published selection and beside
 * a scan that hashes every spec. Hostile cases: the cost of a planted pod, and of a drifted one.
 */
import { recordOfStored, type StoredPod, storedPod, storedPool } from '#properties/models/stored-pod.ts';
import type { InputOf } from '#properties/protocol/decision.ts';
import type { selectHusk as decision } from '#properties/protocol/select-husk.ts';
import { bind as bindPublished } from '#properties/subjects/published/select-husk.ts';
import { keepPod } from '#reference/decisions/select-husk/kept-pod.ts';
import { podNameOf, podSpecHash } from '#reference/decisions/select-husk/pod-view.ts';
import { selectHusk } from '#reference/decisions/select-husk/select-husk.ts';
import type { Benchmark, BenchmarkMeasurement } from './benchmark.ts';
import { type Contender, measure } from './measure.ts';

type Input = InputOf<typeof decision>;

const count = 10_000;
const asked = { pool: storedPool, operation: 'activate', podUid: null, podName: null } as const;
const holder = 'uid-claim';
const published = bindPublished({});

/** As a watch cache holds it: parsed from JSON, no part shared with another pod. */
const read = (pod: StoredPod): StoredPod => JSON.parse(JSON.stringify(pod)) as StoredPod;

const addressOf = (index: number, isIpv6: boolean) =>
  isIpv6
    ? `2001:db8:10:${(index >> 8).toString(16)}::${((index & 0xff) + 1).toString(16)}`
    : `10.${16 + (index >> 16)}.${(index >> 8) & 0xff}.${index & 0xff}`;

function pods(isIpv6 = false): StoredPod[] {
  return Array.from({ length: count }, (_, index) =>
    read(storedPod(`pool-husk-${index}`, addressOf(index, isIpv6))),
  );
}

/** An image of its own for each: no two specs are alike. */
const drifted = (pod: StoredPod, index: number): StoredPod =>
  read({
    ...pod,
    spec: {
      ...pod.spec,
      containers: pod.spec.containers.map((one) => ({ ...one, image: `attacker/husk:${index}` })),
    },
  });

const recorded = (list: readonly StoredPod[], of: string | null = null) =>
  list.map((pod) => ({ ...recordOfStored(pod, of) }));

/** The pod that this selection looks at last. */
function lastIndex(list: readonly StoredPod[]): number {
  const first = selectHusk({ ...asked, pods: list, ledger: recorded(list), holder }).pod;
  const start = list.findIndex(({ metadata }) => metadata.uid === first?.uid);
  return (start - 1 + count) % count;
}

const input = (list: readonly StoredPod[], ledger: Input['ledger']): Input => ({
  ...asked,
  pods: [...list],
  ledger,
  holder,
});

/** Where the only warm pod is the one that is looked at last. */
function lastFits(ledgerOf: (genuine: readonly StoredPod[], last: StoredPod) => Input['ledger']): Input {
  const genuine = pods();
  const last = genuine[lastIndex(genuine)];
  if (last === undefined) throw new Error('the bench has no pod that is looked at last');
  return input(genuine, ledgerOf(genuine, last));
}

function allDrifted(): Input {
  const genuine = pods();
  return input(genuine.map(drifted), recorded(genuine));
}

/** Made one after the other: all at once they would crowd the memory that is measured. */
const cases: Readonly<Record<string, () => Input>> = {
  'the first fits'() {
    const genuine = pods();
    return input(genuine, recorded(genuine));
  },
  'the first fits, IPv6'() {
    const genuine = pods(true);
    return input(genuine, recorded(genuine));
  },
  '9,999 held, the last fits': () =>
    lastFits((genuine, last) => [
      ...recorded(
        genuine.filter((pod) => pod !== last),
        'uid-other',
      ),
      ...recorded([last]),
    ]),
  '9,999 planted, the last is genuine': () => lastFits((_, last) => recorded([last])),
  'all drifted': allDrifted,
  'all drifted, kept by a watch cache'() {
    const { pods: list, ledger } = allDrifted();
    return input(
      list.map((pod) => keepPod(pod as StoredPod)),
      ledger,
    );
  },
};

/** What needs no thought: every spec is hashed, then the ledger is asked. */
function hashEverySpec({ pods: list, ledger }: Input): number {
  const known = new Map(ledger.map(({ pod, specHash }) => [pod.uid, specHash]));
  let fits = 0;
  for (const pod of list) {
    const specHash = podSpecHash((pod as StoredPod).spec);
    if (known.get(podNameOf(pod)?.uid ?? '') === specHash) fits += 1;
  }
  return fits;
}

const selections = (name: string, decide: (given: Input) => unknown, given: Input): Contender => ({
  name,
  run(times) {
    let done = 0;
    for (; done < times; done++) if (decide(given) === undefined) return -1;
    return done;
  },
});

/** Of one selection, of this process alone: what others do on the machine does not count. Median. */
function cpuMs(decide: (given: Input) => unknown, given: Input): string {
  const taken: number[] = [];
  for (let run = 0; run < 15; run++) {
    const before = process.cpuUsage();
    decide(given);
    const { user, system } = process.cpuUsage(before);
    taken.push((user + system) / 1_000);
  }
  return (taken.sort((a, b) => a - b)[7] ?? 0).toFixed(1);
}

export const selectHuskBenchmark: Benchmark = {
  summary: 'one selection among 10,000 stored pods on one core; peers: the published one, every spec hashed',
  async run() {
    const measurements: BenchmarkMeasurement[] = [];
    const notes: string[] = [];
    for (const [name, make] of Object.entries(cases)) {
      const given = make();
      const measured = measure([
        selections(`select-husk, ${name}`, selectHusk, given),
        selections('  published', published, given),
        selections('  every spec hashed', hashEverySpec, given),
      ]);
      measurements.push(
        ...measured.map((one, index) => ({
          ...one,
          unit: 'selections',
          ...(index === 0 ? { leads: true as const } : {}),
        })),
      );
      notes.push(
        `${name}: ${cpuMs(selectHusk, given)} ms of CPU time ` +
          `(published ${cpuMs(published, given)}, every spec hashed ${cpuMs(hashEverySpec, given)})`,
      );
    }
    return { measurements, notes };
  },
};
