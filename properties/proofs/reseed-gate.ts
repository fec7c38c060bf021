/**
 * reseed-gate decides every case of a small scope as the oracle requires: responses × requests × times ×
 * witnesses × answers of the store, all combinations.
 */
import { hash } from 'node:crypto';
import {
  type GateConfig,
  type GateVerdict,
  type Insert,
  judgeReseed,
} from '#reference/decisions/reseed-gate.ts';
import { mutants } from '../mutants/reseed.ts';
import { type GateCase, type RequiredOfGate, requiredOfGate } from '../oracles/reseed-oracle.ts';
import { mutantsNamed, type Proof } from './proof.ts';
import { responseScope, responses, type ScopedResponse } from './scope/response-scope.ts';

const deadlineMs = 2000;
const nonce = 'aa'.repeat(32);
const digest = hash('sha256', 'key of the generator of this fork');
const snapshot = 'sha256:template';

const requests: readonly GateCase['request'][] = [
  { snapshot, generation: 7, nonce },
  { snapshot, generation: 2 ** 32 + 7, nonce },
  { snapshot, generation: 0, nonce },
  { snapshot, generation: 1.5, nonce },
  { snapshot, generation: 7, nonce: nonce.slice(2) },
  { snapshot, generation: 7, nonce: nonce.toUpperCase() },
];
const times = [0, deadlineMs, deadlineMs + 0.5, Number.NaN];
const witnesses: readonly GateCase['witness'][] = [
  null,
  { changed: true, digest },
  { changed: false, digest },
  { changed: true, digest: digest.toUpperCase() },
];
const insertions: readonly GateCase['insertion'][] = [null, 'inserted', 'present', 'full', 'failed'];

export const proof: Proof = {
  name: 'reseed-gate',
  statement:
    'In every combination of the scope a fork is admitted, refused or remembered first exactly as the oracle requires, and what is ' +
    'remembered depends on its sample and its witness alone; the gate never throws.',
  bounds: [
    responseScope(),
    `${requests.length} requests, two of them valid; ${times.length} times around the deadline; ${witnesses.length} host-side witnesses, ` +
      `required or not; ${insertions.length} answers of the store`,
  ],
  assumptions: [
    'SHA-256 is what Node computes; the oracle puts the proof together by itself.',
    'Values outside the scope behave as those in it (the claims F6.* sample them).',
  ],
  mutants: mutantsNamed(mutants, [
    'generation-little-endian',
    'generation-of-32-bits',
    'nonce-not-bound',
    'sample-not-bound',
    'label-without-nul',
    'hex-in-either-case',
    'truthy-ok',
    'truthy-reseed',
    'last-field-wins',
    'unknown-field-skipped',
    'any-length',
    'late-admitted',
    'grace-after-deadline',
    'generation-not-compared',
    'proof-not-compared',
    'no-witness-needed',
    'unchanged-generator',
    'witness-not-stored',
    'proof-stored-for-sample',
    'seen-before-admitted',
    'full-admits',
    'failed-store-admits',
    'boolean-trusted',
  ]),
  async run({ scale, progress }) {
    const maxFaults = scale === 'full' ? Number.POSITIVE_INFINITY : 2;
    const remembered = new Map<string, string>();
    let cases = 0;
    let lines = 0;
    const counts = () => ({ cases, responses: lines });
    for (const request of requests) {
      for (const response of responses(request, maxFaults)) {
        lines += 1;
        for (const host of hostSides(request)) {
          cases += 1;
          const difference = judge(host, response, remembered);
          if (difference !== null) return { outcome: 'refuted', counts: counts(), trace: difference };
        }
        if (lines % 1000 === 0) progress(counts());
      }
    }
    return { outcome: 'proved', counts: counts() };
  },
};

interface Thrown {
  readonly verdict: 'throws';
  readonly rule: string;
}

type HostSide = Omit<GateCase, 'response'> & { readonly requireWitness: boolean };

const sides = new Map<GateCase['request'], readonly HostSide[]>();

/** All that the host knows besides the response. */
function hostSides(request: GateCase['request']): readonly HostSide[] {
  let known = sides.get(request);
  if (known === undefined) {
    known = times.flatMap((elapsedMs) =>
      witnesses.flatMap((witness) =>
        [false, true].flatMap((requireWitness) =>
          insertions.map((insertion) => ({ request, elapsedMs, witness, requireWitness, insertion })),
        ),
      ),
    );
    sides.set(request, known);
  }
  return known;
}

/** A throw is an answer that no oracle gives. */
function decide(config: GateConfig, input: GateCase): GateVerdict | Thrown {
  try {
    return judgeReseed(config, input);
  } catch (error) {
    return { verdict: 'throws', rule: String(error) };
  }
}

/** @param remembered keys by what they must hold, over all cases */
function judge(host: HostSide, response: ScopedResponse, remembered: Map<string, string>): string[] | null {
  const config = { deadlineMs, requireWitness: host.requireWitness };
  const { requireWitness: _config, ...input } = host;
  const decided = decide(config, { ...input, response: response.text });
  const required = requiredOfGate(config, input, response.made);
  const insert = decided.verdict === 'insert' ? decided.insert : null;
  const wrong =
    decided.verdict === required.verdict
      ? wrongInsert(insert, host.request.snapshot, required, remembered)
      : required.why;
  if (wrong === null) return null;
  const trace = [
    `request    generation ${host.request.generation}, nonce of ${host.request.nonce.length} digits`,
    `response   ${response.faults.join(', ') || 'the honest one'}`,
    `line       ${response.text?.replace(/ {9,}/, ' … ') ?? 'none'}`,
    `host       after ${host.elapsedMs} of ${deadlineMs} ms; witness ${JSON.stringify(host.witness)}${host.requireWitness ? ', required' : ''}; store ${host.insertion ?? 'not asked yet'}`,
    `reference  ${decided.verdict}${insert === null ? '' : ` ${insert.snapshot} ${insert.keys.join(' ')}`}  [${decided.rule}]`,
    `oracle     ${required.verdict}  [${wrong}]`,
  ];
  return trace.map((line) => line.replace(/([0-9a-f]{6})[0-9a-f]{50,}([0-9a-f]{6})/gi, '$1…$2'));
}

/** Keys are one for each thing to remember, always the same for it, and never those of something else. */
function wrongInsert(
  insert: Insert | null,
  snapshot: string,
  required: RequiredOfGate,
  remembered: Map<string, string>,
): string | null {
  if (required.verdict !== 'insert' || insert === null) return null;
  const { keys } = insert;
  if (insert.snapshot !== snapshot) return `remembers for the snapshot ${snapshot}`;
  if (keys.length !== required.holds.length) return `remembers ${required.holds.length} digests`;
  for (const [index, held] of required.holds.entries()) {
    const key = keys[index] as string;
    if (!key.endsWith(held)) return `remembers ${index === 0 ? 'the sample' : 'the witness'} ${held}`;
    const before = remembered.get(held) ?? key;
    if (before !== key) return `remembers ${held} by one key, not by ${before} too`;
    remembered.set(held, key);
  }
  return null;
}
