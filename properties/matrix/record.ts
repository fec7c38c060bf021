/**
 * The record that every runner writes, at whatever tier, and the report that holds them. The JSON schemas
 * are published in docs/schemas.
 */
import Type, { type Static } from 'typebox';

export const outcomeSchema = Type.Union(
  [
    Type.Literal('holds'),
    Type.Literal('falsified'),
    Type.Literal('hung'),
    Type.Literal('crashed'),
    Type.Literal('garbage'),
    Type.Literal('unsupported'),
    Type.Literal('not-run'),
  ],
  {
    description:
      'hung, crashed and garbage are failures; unsupported and not-run are skips, never counted as passed',
  },
);
export type Outcome = Static<typeof outcomeSchema>;

export const tierSchema = Type.Union([
  Type.Literal('decision'),
  Type.Literal('kernel'),
  Type.Literal('vm'),
  Type.Literal('apiserver'),
  Type.Literal('cluster'),
]);

export const environmentSchema = Type.Object({
  commit: Type.String({
    description: 'git commit, with `+changes` when the tree differs; `unknown` outside git',
  }),
  kernel: Type.String(),
  node: Type.String(),
  cores: Type.Integer(),
  nft: Type.Optional(Type.String({ description: 'version of nft, where it is there' })),
  vmm: Type.Optional(
    Type.String({
      description:
        'at tier vm: what ran the guests, whether by KVM or TCG, as found by a probe, and their kernel where all have one',
    }),
  ),
});
export type Environment = Static<typeof environmentSchema>;

export const evidenceSchema = Type.Object({
  case: Type.String({ description: "the shrunk case, in the field's notation" }),
  observed: Type.String(),
  observedRule: Type.Optional(Type.String()),
  required: Type.String(),
  requiredRule: Type.String(),
  steps: Type.Optional(Type.Array(Type.String())),
  shrinks: Type.Integer(),
  replayed: Type.Boolean({ description: 'the replay was tried and found the same case' }),
  folder: Type.Optional(
    Type.String({ description: 'where packets, ruleset and tables are, from the root of the repository' }),
  ),
});

export const recordSchema = Type.Object(
  {
    claim: Type.String(),
    subject: Type.String(),
    tier: tierSchema,
    attack: Type.Optional(
      Type.String({ description: 'above tier decision: which attack, where the claim has several' }),
    ),
    outcome: outcomeSchema,
    expected: Type.Union([Type.Literal('holds'), Type.Literal('falsified'), Type.Literal('no-input')]),
    asExpected: Type.Boolean(),
    judgedCases: Type.Integer(),
    seed: Type.Integer(),
    replay: Type.String({
      description: 'the command that repeats this cell, or finds this counterexample again',
    }),
    reason: Type.Optional(Type.String({ description: 'with every outcome but holds and falsified' })),
    evidence: Type.Optional(evidenceSchema),
    subjectDigest: Type.String({ description: 'sha256 over the files that make the subject' }),
  },
  { $id: 'huskproof/record/v1' },
);
export type CellRecord = Static<typeof recordSchema>;

export const reportSchema = Type.Object(
  {
    v: Type.Literal(1),
    environment: environmentSchema,
    seed: Type.Integer(),
    tiers: Type.Array(
      Type.Object({
        tier: tierSchema,
        ran: Type.Boolean(),
        cells: Type.Integer({ description: 'that ran, or would have' }),
        seconds: Type.Number(),
        reason: Type.Optional(Type.String({ description: 'why it did not run' })),
        remedy: Type.Optional(Type.String({ description: 'what to type so that it does' })),
      }),
      { description: 'which tiers ran; one that did not is never counted as passed' },
    ),
    summary: Type.Object({
      passed: Type.Boolean({ description: 'everything that was asked for ran, and is as declared' }),
      judgedCases: Type.Integer({ description: 'cases judged on the reference' }),
      judgedCasesAll: Type.Integer({ description: 'cases judged on all subjects and mutants' }),
      claims: Type.Integer(),
      cells: Type.Integer(),
      asExpected: Type.Integer(),
      unexpected: Type.Integer(),
      skipped: Type.Integer({ description: 'unsupported or not run; never counted as passed' }),
      mutants: Type.Integer(),
      mutantsKilled: Type.Integer(),
      vacuous: Type.Array(Type.String(), { description: 'claims that no subject or mutant falsified' }),
      failures: Type.Array(Type.String(), { description: 'what failed beside the cells' }),
      complete: Type.Boolean({ description: 'false: interrupted, or the time limit came first' }),
      seconds: Type.Number(),
    }),
    records: Type.Array(recordSchema),
  },
  { $id: 'huskproof/report/v1' },
);
export type Report = Static<typeof reportSchema>;
export type TierRun = Report['tiers'][number];
