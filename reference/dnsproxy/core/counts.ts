/**
 * What the proxy counts, in plain numbers: cheap to add to, and to hand from one thread to another.
 * Invariant: bounded, whatever rules there are.
 */
export type CountName =
  | 'queries'
  | 'replies'
  | 'answers'
  | 'pins'
  | 'refused-addresses'
  | 'attempts'
  | 'cache'
  | 'refusals-not-logged';

const maxRules = 256;
/** Upper bounds in milliseconds. */
export const latencyBucketsMs = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000,
] as const;

export interface CountSnapshot {
  readonly counts: readonly (readonly [name: CountName, rule: string, count: number])[];
  /** One more than there are bounds: the last is everything beyond. */
  readonly latency: { readonly buckets: readonly number[]; readonly sumMs: number };
  readonly inFlight: number;
  readonly exchanges: number;
  readonly sandboxes: number;
  readonly upstreams: readonly { readonly endpoint: string; readonly isUp: boolean }[];
}

export class Counts {
  readonly #counts = new Map<CountName, Map<string, number>>();
  readonly #buckets: number[] = Array.from({ length: latencyBucketsMs.length + 1 }, () => 0);
  #sumMs = 0;

  add(name: CountName, rule: string, by = 1): void {
    let rules = this.#counts.get(name);
    if (rules === undefined) {
      rules = new Map();
      this.#counts.set(name, rules);
    }
    const count = rules.get(rule);
    if (count !== undefined) rules.set(rule, count + by);
    else if (rules.size < maxRules) rules.set(rule, by);
    else rules.set('other', (rules.get('other') ?? 0) + by);
  }

  took(ms: number): void {
    let bucket = 0;
    while (ms > (latencyBucketsMs[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#sumMs += ms;
  }

  snapshot(): Pick<CountSnapshot, 'counts' | 'latency'> {
    const counts = [...this.#counts].flatMap(([name, rules]) =>
      [...rules].map(([rule, count]) => [name, rule, count] as const),
    );
    return { counts, latency: { buckets: [...this.#buckets], sumMs: this.#sumMs } };
  }
}
