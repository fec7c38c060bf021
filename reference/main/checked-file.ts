/** A file of JSON that a flag names: read whole, held to its form, refused by the field. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { Static, TSchema } from 'typebox';
import { badFlag } from './process.ts';

/**
 * @param whole what the message calls it
 * @throws CodedError `bad-flag`
 */
export function readChecked<S extends TSchema>(
  flag: string,
  file: string,
  schema: S,
  whole: string,
): Static<S> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw badFlag(`--${flag} ${file}: it cannot be read as JSON`, cause);
  }
  const check = new Ajv({ allowUnionTypes: true }).compile<Static<S>>(schema);
  if (check(value)) return value;
  const [{ instancePath = '', message = 'is none' } = {}] = check.errors ?? [];
  throw badFlag(`--${flag} ${file}: ${instancePath === '' ? whole : instancePath}: ${message}`);
}
