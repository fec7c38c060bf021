/**
 * Reads JSON that strangers wrote: every access is total, and nothing is coerced.
 * Invariant: canonical text is equal for two values exactly when they are equal as JSON.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

/** Deeper values have no canonical text; no object that an API server stores comes near. */
const maxDepth = 64;

const nothing: JsonObject = Object.freeze({});

/** The object, or an empty one for anything else. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : nothing;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own field; what the prototype holds is never seen. */
export function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** The string, or null for anything else and for the empty one. */
export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** JSON with sorted keys and without white space; null when it is nested too deeply. */
export function canonicalText(value: unknown, depth = 0): string | null {
  if (depth > maxDepth) return null;
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) {
    let text = '[';
    for (let index = 0; index < value.length; index++) {
      const part = canonicalText(value[index], depth + 1);
      if (part === null) return null;
      text += index === 0 ? part : `,${part}`;
    }
    return `${text}]`;
  }
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  let text = '{';
  for (const key of Object.keys(value).sort()) {
    const field = value[key];
    if (field === undefined) continue;
    const part = canonicalText(field, depth + 1);
    if (part === null) return null;
    text += `${text === '{' ? '' : ','}${JSON.stringify(key)}:${part}`;
  }
  return `${text}}`;
}
