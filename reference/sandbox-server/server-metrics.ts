/** What a sandbox server counts, in Prometheus' text format. No label is a client's to choose. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ForkEnginePort, Sandbox } from '#reference/contract/fork-engine-port.ts';

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'route' | 'status'>;
  readonly #refusals: Counter<'code'>;
  readonly #gate: Histogram;

  constructor(engine: ForkEnginePort) {
    const registers = [this.#registry];
    new Gauge({
      ...{ name: 'sandbox_server_sandboxes', help: 'Sandboxes that are released.', registers },
      collect() {
        this.set(engine.sandboxes().length);
      },
    });
    new Gauge({
      ...{ name: 'sandbox_server_templates', help: 'Templates that stand.', registers },
      collect() {
        this.set(engine.templates().length);
      },
    });
    this.#requests = new Counter({
      ...{ name: 'sandbox_server_requests_total', help: 'Requests by route and status.', registers },
      labelNames: ['route', 'status'],
    });
    this.#refusals = new Counter({
      ...{ name: 'sandbox_server_refusals_total', help: 'Refusals by code.', registers },
      labelNames: ['code'],
    });
    this.#gate = new Histogram({
      ...{ name: 'sandbox_server_fork_seconds', help: 'From the call to the release of a fork.', registers },
      buckets: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4],
    });
  }

  answered(route: string, status: number): void {
    this.#requests.inc({ route, status: String(status) });
  }

  refused(code: string): void {
    this.#refusals.inc({ code });
  }

  forked({ releasedAfterMs }: Sandbox): void {
    this.#gate.observe(releasedAfterMs / 1_000);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
