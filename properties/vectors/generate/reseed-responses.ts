/**
 * The corpus of reseed responses: what a guest may answer to notify_forked, and whether its fork may serve.
 */
import { hash } from 'node:crypto';
import type { GateConfig, GateInput } from '../../models/gate-run.ts';
import {
  honestFields,
  honestLine,
  malformationNames,
  malformations,
  modelProof,
  proofForms,
} from '../../models/reseed-guest.ts';
import type { StoreAnswer } from '../../models/witness-store.ts';

export interface ReseedVector {
  readonly id: string;
  readonly comment: string;
  readonly config: GateConfig;
  /** As in the protocol of reseed-gate, without `insertion`. */
  readonly input: GateInput;
  /** What the store answers, if it is asked. */
  readonly store: StoreAnswer;
  readonly verdict: 'admit' | 'refuse';
  readonly rule: string;
  readonly source: string;
  /** `negative`: this fork must not serve. */
  readonly flags: readonly string[];
}

const finding = 'findings.md F6';
/** SHA-256 of octets 00 … 1f. */
const sample = '630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd';
const asked = { generation: 7, nonce: 'aa'.repeat(32) };
/** Computed by hand from the finding's definition; the finding prints it. */
const specifiedProof = '3ad7aea3cceaa2010b6295786a23525ff2546d8497a51e2da5f53367ebebdfd0';
const digest = hash('sha256', 'key of the generator of this fork');
const snapshot = 'sha256:template';
const deadlineMs = 2000;

type Part = Partial<Pick<ReseedVector, 'store' | 'rule' | 'source'>> & {
  readonly asked?: { readonly generation: number; readonly nonce: string };
  readonly response?: string | null;
  readonly elapsedMs?: number;
  readonly witness?: GateInput['witness'];
  readonly requireWitness?: boolean;
};

function vector(verdict: 'admit' | 'refuse', id: string, comment: string, part: Part): ReseedVector {
  const request = part.asked ?? asked;
  return {
    id,
    comment,
    config: { deadlineMs, requireWitness: part.requireWitness ?? false },
    input: {
      request: { snapshot, ...request },
      response: part.response === undefined ? honestLine(sample, request) : part.response,
      elapsedMs: part.elapsedMs ?? 12,
      witness: part.witness ?? null,
    },
    store: part.store ?? 'inserted',
    verdict,
    rule: part.rule ?? (verdict === 'admit' ? 'diverged' : comment),
    source: part.source ?? finding,
    flags: verdict === 'refuse' ? ['negative'] : [],
  };
}

const admit = (id: string, comment: string, part: Part = {}) => vector('admit', id, comment, part);
const refuse = (id: string, comment: string, part: Part) => vector('refuse', id, comment, part);

function named(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}

function positives(): ReseedVector[] {
  const fields = honestFields(sample, asked);
  const { generation: _left, ...withoutGeneration } = fields;
  const reversed = Object.fromEntries(Object.entries(fields).reverse());
  return [
    admit('proof/specified', 'the proof that the finding prints', {
      response: JSON.stringify({ ...fields, proof: specifiedProof }),
    }),
    admit('line/without-generation', 'the proof binds the generation, the field is optional', {
      response: JSON.stringify(withoutGeneration),
    }),
    admit('line/reversed', 'the order of fields says nothing', { response: JSON.stringify(reversed) }),
    admit('line/spaced', 'white space between tokens', {
      response: JSON.stringify(fields, null, 1).replaceAll('\n', ' '),
    }),
    admit('line/longest', '4096 octets', { response: honestLine(sample, asked).padEnd(4096) }),
    admit('line/clock-step', 'the clock went back an hour', {
      response: JSON.stringify({ ...fields, applied_clock_step_nanos: -3_600_000_000_000 }),
    }),
    admit('time/at-once', 'no time passed', { elapsedMs: 0 }),
    admit('time/at-the-deadline', 'the deadline is still in time', { elapsedMs: deadlineMs }),
    admit('witness/changed', 'the VMM reads a generator that changed', {
      witness: { changed: true, digest },
      requireWitness: true,
    }),
    admit('witness/not-required', 'the VMM reads it though nobody requires it', {
      witness: { changed: true, digest },
    }),
    ...[1, 255, 256, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1].map((generation) =>
      admit(`generation/${generation}`, `generation ${generation} as u64 big-endian`, {
        asked: { ...asked, generation },
      }),
    ),
  ];
}

function malformedLines(): ReseedVector[] {
  const line = honestLine(sample, asked);
  return malformationNames
    .filter((how) => how !== 'padded to a megabyte')
    .map((how) =>
      refuse(`malformed/${named(how)}`, how, { response: malformations[how](line), rule: 'malformed' }),
    );
}

function wrongProofs(): ReseedVector[] {
  const forms = proofForms.filter((form) => form !== 'as specified');
  return [...forms, 'all zero' as const, 'the sample again' as const].map((form) => {
    const proof =
      form === 'all zero'
        ? '0'.repeat(64)
        : form === 'the sample again'
          ? sample
          : modelProof(sample, asked, form);
    return refuse(`proof/${named(form)}`, form, {
      response: JSON.stringify({ ...honestFields(sample, asked), proof }),
      rule: 'proof does not match',
    });
  });
}

function staleResponses(): ReseedVector[] {
  const others = [6, 8, 7 + 256, 7 + 2 ** 32, 2 ** 53 - 1];
  const later = { ...asked, generation: asked.generation + 2 ** 32 };
  const cut = refuse(
    'stale/beyond-32-bits',
    `asked for ${later.generation}, names it, proves ${asked.generation}`,
    {
      asked: later,
      response: JSON.stringify({ ...honestFields(sample, later), proof: modelProof(sample, asked) }),
      rule: 'of another generation',
    },
  );
  const stale = others.flatMap((generation) => {
    const other = { ...asked, generation };
    const own = honestFields(sample, asked);
    const rule = 'of another generation';
    return [
      refuse(`stale/whole-${generation}`, `the response to generation ${generation}`, {
        response: honestLine(sample, other),
        rule,
      }),
      refuse(`stale/field-${generation}`, `names generation ${generation}, proves this one`, {
        response: JSON.stringify({ ...own, generation }),
        rule,
      }),
      refuse(`stale/proof-${generation}`, `names this generation, proves ${generation}`, {
        response: JSON.stringify({ ...own, proof: modelProof(sample, other) }),
        rule,
      }),
    ];
  });
  return [...stale, cut];
}

function hostSide(): ReseedVector[] {
  const replayed = honestLine(sample, { ...asked, nonce: 'bb'.repeat(32) });
  return [
    refuse('missing', 'no response came', { response: null }),
    ...[0.5, 1, 2000, 86_400_000].map((lateMs) =>
      refuse(`late/by-${named(String(lateMs))}-ms`, `the honest response, ${lateMs} ms late`, {
        elapsedMs: deadlineMs + lateMs,
        rule: 'late',
      }),
    ),
    refuse('boolean/alone', 'reports success and shows nothing', {
      response: '{"ok":true,"reseeded_rng":true}',
      rule: 'no sample, no proof',
      source: 'findings.md F6 Vulnerable: believes that boolean',
    }),
    refuse('boolean/failure', 'reports failure', {
      response: '{"ok":false,"reseeded_rng":false,"error":"RNDADDENTROPY: EPERM"}',
      rule: 'reports failure',
    }),
    refuse('replayed/another-nonce', 'the response to another nonce of this generation', {
      response: replayed,
      rule: 'replayed',
    }),
    refuse('duplicate/sample', 'the sample of a sibling under a proof of its own', {
      store: 'present',
      rule: 'seen before for this snapshot',
    }),
    refuse('duplicate/witness', 'the generator of a sibling, read by the VMM', {
      witness: { changed: true, digest },
      requireWitness: true,
      store: 'present',
      rule: 'seen before for this snapshot',
    }),
    refuse('store/full', 'nothing more can be remembered', { store: 'full', rule: 'full means refuse' }),
    refuse('store/failed', 'the store did not answer', { store: 'failed', rule: 'fails closed' }),
    refuse('witness/none', 'the VMM could not read the generator', { requireWitness: true }),
    refuse('witness/unchanged', 'the VMM reads the generator of the snapshot', {
      witness: { changed: false, digest },
    }),
    ...['', digest.slice(1), digest.toUpperCase(), `${digest}\n`].map((bad, index) =>
      refuse(`witness/no-digest-${index}`, `a digest of ${bad.length} characters that is none`, {
        witness: { changed: true, digest: bad },
        requireWitness: true,
        rule: 'no host-side witness',
      }),
    ),
  ];
}

export function generate() {
  return {
    $schema: 'schemas/reseed-responses.schema.json',
    corpus: 'reseed-responses',
    version: 1,
    source: 'findings.md F6; the contract of notify_forked',
    notes: [
      'input is the case of reseed-gate before the store was asked. If the gate wants an insert, store is the answer, and verdict is what the gate says then.',
      'response is the line as the guest sent it, without its newline; null: none came.',
    ],
    vectors: [...positives(), ...hostSide(), ...wrongProofs(), ...staleResponses(), ...malformedLines()],
  };
}
