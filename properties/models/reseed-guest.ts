/**
 * What guests answer to `notify_forked`: an honest one, and a zoo of liars. Written from the contract's
 * text, sharing nothing with the reference: its own proof, its own lines.
 */
import { hash } from 'node:crypto';

export interface Asked {
  readonly generation: number;
  /** 32 octets, hex. */
  readonly nonce: string;
}

/** Ways to compute a proof; only `as specified` is right. */
export const proofForms = [
  'as specified',
  'generation little-endian',
  'generation of 32 bits',
  'generation in decimal',
  'label without NUL',
  'no label',
  'no nonce',
  'no generation',
  'sample in hex',
  'nonce before generation',
  'another nonce',
  'another sample',
] as const;
export type ProofForm = (typeof proofForms)[number];

const label = Buffer.from('6d69746f732e72756e2f7265736565642d70726f6f662f763100', 'hex');

/** The proof of a sample, or something that is nearly one. */
export function modelProof(
  sample: string,
  { generation, nonce }: Asked,
  form: ProofForm = 'as specified',
): string {
  const big = Buffer.alloc(8);
  big.writeUInt32BE(Math.floor(generation / 2 ** 32), 0);
  big.writeUInt32BE(generation % 2 ** 32, 4);
  const parts = {
    label,
    sample: Buffer.from(sample, 'hex'),
    generation: big,
    nonce: Buffer.from(nonce, 'hex'),
  };
  return hash('sha256', Buffer.concat(partsOf(form, parts, sample, generation)));
}

interface Parts {
  readonly label: Buffer;
  readonly sample: Buffer;
  readonly generation: Buffer;
  readonly nonce: Buffer;
}

function partsOf(form: ProofForm, parts: Parts, sampleHex: string, generation: number): Buffer[] {
  const { label: text, sample, generation: big, nonce } = parts;
  switch (form) {
    case 'as specified':
      return [text, sample, big, nonce];
    case 'generation little-endian':
      return [text, sample, Buffer.from(big).reverse(), nonce];
    case 'generation of 32 bits':
      return [text, sample, big.subarray(4), nonce];
    case 'generation in decimal':
      return [text, sample, Buffer.from(String(generation)), nonce];
    case 'label without NUL':
      return [text.subarray(0, 25), sample, big, nonce];
    case 'no label':
      return [sample, big, nonce];
    case 'no nonce':
      return [text, sample, big];
    case 'no generation':
      return [text, sample, nonce];
    case 'sample in hex':
      return [text, Buffer.from(sampleHex), big, nonce];
    case 'nonce before generation':
      return [text, sample, nonce, big];
    case 'another nonce':
      return [text, sample, big, Buffer.alloc(32)];
    case 'another sample':
      return [text, Buffer.alloc(32), big, nonce];
  }
}

/** The honest line for a sample. */
export function honestFields(sample: string, asked: Asked) {
  const { generation } = asked;
  return {
    ok: true,
    reseeded_rng: true,
    generation,
    sample,
    proof: modelProof(sample, asked),
    applied_clock_step_nanos: 0,
  };
}

export function honestLine(sample: string, asked: Asked): string {
  return JSON.stringify(honestFields(sample, asked));
}

/** Lines that are nearly the honest one: none of them may pass. Made from the honest line's fields. */
export const malformations = {
  'an empty line': () => '',
  'not JSON': () => 'ok',
  'cut off': (line: string) => line.slice(0, -1),
  'followed by a second object': (line: string) => `${line}${line}`,
  'followed by a bracket': (line: string) => `${line}]`,
  'in an array': (line: string) => `[${line}]`,
  'in a string': (line: string) => JSON.stringify(line),
  'with a byte order mark': (line: string) => `\ufeff${line}`,
  'with a trailing comma': (line: string) => line.replace(/\}$/, ',}'),
  'with a comment': (line: string) => `${line}//`,
  null: () => 'null',
  true: () => 'true',
  'an empty object': () => '{}',
  'padded beyond the bound': (line: string) => line + ' '.repeat(4097 - line.length),
  'padded to a megabyte': (line: string) => line + ' '.repeat(1_000_000),
  'ok twice, false first': (line: string) => line.replace('{', '{"ok":false,'),
  'ok twice, false last': (line: string) => line.replace(/\}$/, ',"ok":false}'),
  'reseeded_rng twice, false first': (line: string) => line.replace('{', '{"reseeded_rng":false,'),
  'reseeded_rng twice, false last': (line: string) => line.replace(/\}$/, ',"reseeded_rng":false}'),
  'reseeded_rng twice, once escaped': (line: string) => line.replace('{', '{"reseeded\\u005frng":false,'),
  'sample twice': (line: string) => line.replace('{', `{"sample":"${'00'.repeat(32)}",`),
  'proof twice': (line: string) => line.replace('{', `{"proof":"${'00'.repeat(32)}",`),
  'generation twice': (line: string) => line.replace('{', '{"generation":1,'),
  'ok missing': (line: string) => line.replace('"ok":true,', ''),
  'ok false': (line: string) => line.replace('"ok":true', '"ok":false'),
  'ok a string': (line: string) => line.replace('"ok":true', '"ok":"true"'),
  'ok a number': (line: string) => line.replace('"ok":true', '"ok":1'),
  'reseeded_rng missing': (line: string) => line.replace('"reseeded_rng":true,', ''),
  'reseeded_rng false': (line: string) => line.replace('"reseeded_rng":true', '"reseeded_rng":false'),
  'reseeded_rng a string': (line: string) => line.replace('"reseeded_rng":true', '"reseeded_rng":"true"'),
  'reseeded_rng a number': (line: string) => line.replace('"reseeded_rng":true', '"reseeded_rng":1'),
  'reseeded_rng null': (line: string) => line.replace('"reseeded_rng":true', '"reseeded_rng":null'),
  'reseeded_rng an array': (line: string) => line.replace('"reseeded_rng":true', '"reseeded_rng":[true]'),
  'reseeded_rng an object': (line: string) =>
    line.replace('"reseeded_rng":true', '"reseeded_rng":{"ok":true}'),
  'reseeded_rng in capitals': (line: string) => line.replace('reseeded_rng', 'RESEEDED_RNG'),
  'sample missing': (line: string) => line.replace(/"sample":"[^"]*",/, ''),
  'sample null': (line: string) => line.replace(/"sample":"[^"]*"/, '"sample":null'),
  'sample empty': (line: string) => line.replace(/"sample":"[^"]*"/, '"sample":""'),
  'sample a digit short': (line: string) => line.replace(/("sample":"[^"]*)[^"]"/, '$1"'),
  'sample a digit long': (line: string) => line.replace(/("sample":"[^"]*)"/, '$10"'),
  'sample in capitals': (line: string) =>
    line.replace(/"sample":"[^"]*"/, (field) => `"sample"${field.slice(8).toUpperCase()}`),
  'sample with a newline': (line: string) => line.replace(/("sample":"[^"]*)"/, '$1\\n"'),
  'proof missing': (line: string) => line.replace(/"proof":"[^"]*",/, ''),
  'proof null': (line: string) => line.replace(/"proof":"[^"]*"/, '"proof":null'),
  'proof empty': (line: string) => line.replace(/"proof":"[^"]*"/, '"proof":""'),
  'proof a digit short': (line: string) => line.replace(/("proof":"[^"]*)[^"]"/, '$1"'),
  'proof with a newline': (line: string) => line.replace(/("proof":"[^"]*)"/, '$1\\n"'),
  'generation a string': (line: string) => line.replace(/"generation":(\d+)/, '"generation":"$1"'),
  'generation null': (line: string) => line.replace(/"generation":\d+/, '"generation":null'),
  'generation negative': (line: string) => line.replace(/"generation":(\d+)/, '"generation":-$1'),
  'generation an array': (line: string) => line.replace(/"generation":(\d+)/, '"generation":[$1]'),
  'clock step a string': (line: string) => line.replace('_nanos":0', '_nanos":"0"'),
  'an unknown field': (line: string) => line.replace(/\}$/, ',"admit":true}'),
  'an error beside success': (line: string) => line.replace(/\}$/, ',"error":"RNDRESEEDCRNG: EPERM"}'),
} as const satisfies Record<string, (line: string) => string>;

export type Malformation = keyof typeof malformations;
export const malformationNames = Object.keys(malformations) as Malformation[];
