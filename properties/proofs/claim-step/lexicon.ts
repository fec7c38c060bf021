/**
 * Everything that a state of the world consists of, as small numbers: each JSON value that ever occurs is
 * noted once.
 * Invariant: two values have one number exactly when they are equal as JSON, sets being compared as sets.
 */

/** Lists whose order means nothing. */
const sets = new Set(['deleted', 'seen', 'intended', 'revoked']);

/** Sorted keys, sorted sets. */
function canonical(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => canonical(item));
    return sets.has(name) ? items.sort() : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, field]) => [key, canonical(field, key)]),
  );
}

/** Equal texts are equal values, sets being compared as sets. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(canonical(value));
}

/** Numbers are kept in 16 bits. */
const capacity = 0xffff;
/** In `images`: nobody asked yet. */
export const notAsked = capacity;

export class Lexicon {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];
  readonly #values: unknown[] = [];
  readonly #rename: readonly ((text: string) => string)[];
  /** For each renaming the number of each value's image, 0xffff while nobody asked. */
  readonly images: readonly Uint16Array[];

  constructor(renamings: readonly ((text: string) => string)[]) {
    this.#rename = renamings;
    this.images = renamings.map(() => new Uint16Array(capacity + 1).fill(notAsked));
  }

  get size(): number {
    return this.#texts.length;
  }

  numberOf(value: unknown): number {
    const plain = canonical(value);
    const text = JSON.stringify(plain);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#texts.length;
    if (number >= capacity) throw new Error(`more than ${capacity} different values: the scope is too large`);
    this.#numbers.set(text, number);
    this.#texts.push(text);
    this.#values.push(plain);
    return number;
  }

  /** Shared: never written to. */
  valueOf(number: number): unknown {
    return this.#values[number];
  }

  textOf(number: number): string {
    return this.#texts[number] ?? '';
  }

  /** The number of the value under one of the renamings. */
  image(renaming: number, number: number): number {
    const images = this.images[renaming] as Uint16Array;
    const known = images[number] as number;
    if (known !== notAsked) return known;
    const rename = this.#rename[renaming] as (text: string) => string;
    const found = this.numberOf(JSON.parse(rename(this.textOf(number))));
    images[number] = found;
    return found;
  }
}
