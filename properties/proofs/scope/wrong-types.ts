/** A JSON value with one part of it, however deep, replaced by something of another type. */

/** Deeper than any canonical text goes. */
function nested(depth: number): unknown {
  let value: unknown = null;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

/** Of every type of JSON, empty and not; no part of a pod is equal to more than one of them. */
const strangers: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  '',
  'x',
  [],
  [null],
  {},
  { x: null },
  nested(100),
];

export interface Replaced {
  /** `status.podIPs.0.ip`; empty: the whole value. */
  readonly path: string;
  readonly by: string;
  readonly value: unknown;
}

/** Every part, replaced by every stranger in turn, one at a time. */
export function* wrongTypes(whole: unknown): Generator<Replaced, void, undefined> {
  for (const path of pathsOf(whole)) {
    for (const stranger of strangers) {
      const by = JSON.stringify(stranger).slice(0, 16);
      yield { path: path.join('.'), by, value: replaced(whole, path, stranger) };
    }
  }
}

function* pathsOf(value: unknown): Generator<readonly string[], void, undefined> {
  yield [];
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    for (const path of pathsOf(part)) yield [name, ...path];
  }
}

function replaced(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by;
  if (Array.isArray(value)) {
    return value.map((part, index) => (String(index) === name ? replaced(part, rest, by) : part));
  }
  const fields = value as Readonly<Record<string, unknown>>;
  return { ...fields, [name]: replaced(fields[name], rest, by) };
}
