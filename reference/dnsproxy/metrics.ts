/** The proxy's counts as Prometheus metrics (prom-client). */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type CountName, type CountSnapshot, latencyBucketsMs } from './core/counts.ts';

const counters: Readonly<Record<CountName, { readonly name: string; readonly help: string }>> = {
  queries: { name: 'queries_total', help: 'Messages of guests, by the rule of the decision' },
  replies: { name: 'replies_total', help: 'What came from upstream, by the rule of the decision' },
  answers: { name: 'answers_total', help: 'Answers to guests, by the rule that made them' },
  pins: { name: 'pins_total', help: 'Requests to pin, by outcome; asked: elements' },
  'refused-addresses': { name: 'refused_addresses_total', help: 'Addresses that were not pinned, by rule' },
  attempts: { name: 'attempts_total', help: 'Queries upstream, by transport, and what became of some' },
  cache: { name: 'cache_total', help: 'Questions that were answered from a reply that was kept' },
  'refusals-not-logged': { name: 'refusals_not_logged_total', help: 'Lines of the log that were left out' },
};

const latency = { name: 'huskproof_dns_answer_seconds', help: 'From a question to its answer' } as const;

/** Times are counted where they are taken, in plain numbers; here they are put into words. */
class LatencyHistogram extends Histogram<string> {
  latest: CountSnapshot['latency'] = { buckets: [], sumMs: 0 };

  /** What the registry asks of a histogram when it makes text. */
  async getForPromString() {
    let sum = 0;
    const values = this.latest.buckets.map((count, index) => {
      sum += count;
      const bound = latencyBucketsMs[index];
      const le = bound === undefined ? '+Inf' : String(bound / 1_000);
      return { value: sum, labels: { le }, metricName: `${latency.name}_bucket` };
    });
    const totals = [
      { value: this.latest.sumMs / 1_000, labels: {}, metricName: `${latency.name}_sum` },
      { value: sum, labels: {}, metricName: `${latency.name}_count` },
    ];
    return { ...latency, type: 'histogram', aggregator: 'sum', values: [...values, ...totals] };
  }
}

export class ProxyMetrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<CountName, Counter<string>>();
  readonly #latency: LatencyHistogram;
  readonly #inFlight: Gauge<string>;
  readonly #upstreamUp: Gauge<string>;

  constructor() {
    const registers = [this.#registry];
    for (const [count, { name, help }] of Object.entries(counters)) {
      const counter = new Counter({ name: `huskproof_dns_${name}`, help, labelNames: ['rule'], registers });
      this.#counters.set(count as CountName, counter);
    }
    this.#inFlight = new Gauge({
      ...{ name: 'huskproof_dns_in_flight', help: 'What is under way', labelNames: ['what'], registers },
    });
    this.#upstreamUp = new Gauge({
      ...{ name: 'huskproof_dns_upstream_up', help: '1: it replies, or was not tried yet', registers },
      labelNames: ['server'],
    });
    this.#latency = new LatencyHistogram({ ...latency, registers });
  }

  /** Prometheus text format, version 0.0.4. */
  text(snapshot: CountSnapshot, connections: number): Promise<string> {
    for (const counter of this.#counters.values()) counter.reset();
    for (const [name, rule, count] of snapshot.counts) this.#counters.get(name)?.inc({ rule }, count);
    this.#inFlight.set({ what: 'questions' }, snapshot.inFlight);
    this.#inFlight.set({ what: 'exchanges' }, snapshot.exchanges);
    this.#inFlight.set({ what: 'sandboxes' }, snapshot.sandboxes);
    this.#inFlight.set({ what: 'connections' }, connections);
    this.#upstreamUp.reset();
    for (const { endpoint, isUp } of snapshot.upstreams) {
      this.#upstreamUp.set({ server: endpoint }, isUp ? 1 : 0);
    }
    this.#latency.latest = snapshot.latency;
    return this.#registry.metrics();
  }
}
