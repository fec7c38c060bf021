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

interface Cell {
  readonly rule: string;
  count: number;
}

/** The cells of one name; most of what is counted is what was counted last. */
interface Row {
  last: Cell | null;
  readonly cells: Map<string, Cell>;
}

export class Counts {
  readonly #rows = new Map<CountName, Row>();
  readonly #buckets: number[] = Array.from({ length: latencyBucketsMs.length + 1 }, () => 0);
  #sumMs = 0;

  add(name: CountName, rule: string, by = 1): void {
    let row = this.#rows.get(name);
    if (row === undefined) {
      row = { last: null, cells: new Map() };
      this.#rows.set(name, row);
    }
    let cell = row.last;
    if (cell === null || cell.rule !== rule) {
      cell = cellOf(row.cells, rule);
      row.last = cell;
    }
    cell.count += by;
  }

  took(ms: number): void {
    let bucket = 0;
    while (ms > (latencyBucketsMs[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#sumMs += ms;
  }

  snapshot(): Pick<CountSnapshot, 'counts' | 'latency'> {
    const counts = [...this.#rows].flatMap(([name, { cells }]) =>
      Array.from(cells.values(), ({ rule, count }) => [name, rule, count] as const),
    );
    return { counts, latency: { buckets: [...this.#buckets], sumMs: this.#sumMs } };
  }
}

function cellOf(cells: Map<string, Cell>, rule: string): Cell {
  const known = cells.get(rule);
  if (known !== undefined) return known;
  if (cells.size >= maxRules && rule !== 'other') return cellOf(cells, 'other');
  const cell = { rule, count: 0 };
  cells.set(rule, cell);
  return cell;
}
