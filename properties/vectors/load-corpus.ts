/** Reads a corpus of vectors and holds it to its published schema before anything is judged by it. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { CodedError } from '#reference/base/coded-error.ts';

export interface Vector {
  readonly id: string;
  readonly comment: string;
  readonly flags: readonly string[];
}

export interface Corpus<V extends Vector> {
  readonly corpus: string;
  readonly version: number;
  readonly vectors: readonly V[];
}

const folder = new URL('./', import.meta.url);

/**
 * The corpus `<name>.json`, valid against `schemas/<name>.schema.json`.
 * @throws CodedError `bad-corpus` that names the file, the vector and the field
 */
export function loadCorpus<V extends Vector>(name: string): Corpus<V> {
  return parseCorpus<V>(name, read(`${name}.json`), read(`schemas/${name}.schema.json`));
}

/** The same on given texts. Throws CodedError `bad-corpus`. */
export function parseCorpus<V extends Vector>(name: string, text: string, schemaText: string): Corpus<V> {
  const value = parse(`${name}.json`, text);
  const corpus = value as Corpus<V>;
  const ajv = new Ajv2020({ strict: false });
  const accepts = ajv.compile(parse(`schemas/${name}.schema.json`, schemaText) as object);
  if (!accepts(value)) {
    const index = /^\/vectors\/(\d+)/.exec(accepts.errors?.[0]?.instancePath ?? '')?.[1];
    const vector =
      index === undefined ? '' : ` (vector ${JSON.stringify(corpus.vectors[Number(index)]?.id)})`;
    throw malformed(`${name}.json`, `${ajv.errorsText(accepts.errors, { dataVar: 'corpus' })}${vector}`);
  }
  const seen = new Set<string>();
  for (const { id } of corpus.vectors) {
    if (seen.has(id)) throw malformed(`${name}.json`, `the id ${JSON.stringify(id)} occurs twice`);
    seen.add(id);
  }
  return corpus;
}

function read(file: string): string {
  try {
    return readFileSync(new URL(file, folder), 'utf8');
  } catch (cause) {
    throw malformed(file, (cause as NodeJS.ErrnoException).code ?? String(cause), cause);
  }
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function malformed(file: string, what: string, cause?: unknown): CodedError {
  return new CodedError(
    'bad-corpus',
    `properties/vectors/${file}: ${what}`,
    'mend the file, or make it anew with: pnpm generate',
    { cause },
  );
}
