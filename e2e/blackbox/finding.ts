/**
 * What a part of a claim about somebody else's system comes out as.
 * Invariant: what was not asked, or could not be judged, is a skip with what to give; it never counts as held.
 */

/** Failures: falsified, and the ways in which a system breaks instead of answering. Skips: the last two. */
export type Outcome =
  | 'holds'
  | 'falsified'
  | 'hung'
  | 'crashed'
  | 'garbage'
  | 'flood'
  | 'unsupported'
  | 'not-run';

export const failures: ReadonlySet<Outcome> = new Set(['falsified', 'hung', 'crashed', 'garbage', 'flood']);
export const skips: ReadonlySet<Outcome> = new Set(['unsupported', 'not-run']);

export interface Finding {
  readonly outcome: Outcome;
  /** What came back, in the field's words; of a skip: the reason. */
  readonly observed: string;
  /** Of a skip: what to give. */
  readonly give?: string;
  /** The finding is that something did not come: asked again before it counts. */
  readonly absent?: true;
  /** Hex of what shows it. */
  readonly hex?: string;
}

export const holds = (observed: string): Finding => ({ outcome: 'holds', observed });

export interface PartAnswer<Claim extends string = string> extends Finding {
  readonly claim: Claim;
  readonly id: string;
  readonly sends: string;
  readonly never: string;
  readonly clause: string;
  readonly ms: number;
}

export interface ClaimAnswer<Claim extends string = string> {
  readonly claim: Claim;
  readonly outcome: Outcome;
  readonly parts: readonly PartAnswer<Claim>[];
  readonly ms: number;
}

/** Worst first. */
const outcomeOrder: readonly Outcome[] = [
  'falsified',
  'crashed',
  'hung',
  'flood',
  'garbage',
  'not-run',
  'unsupported',
];

/** Of a claim's parts: the worst of them; without parts it did not run. */
export function worst(outcomes: readonly Outcome[]): Outcome {
  const found = outcomeOrder.find((outcome) => outcomes.includes(outcome));
  return found ?? (outcomes.length === 0 ? 'not-run' : 'holds');
}

/** The answers of each claim, in the order in which claims come first. */
export function byClaim<Claim extends string>(
  list: readonly PartAnswer<Claim>[],
  together: (outcomes: readonly Outcome[]) => Outcome,
): ClaimAnswer<Claim>[] {
  return [...Map.groupBy(list, ({ claim }) => claim)].map(([claim, parts]) => ({
    claim,
    outcome: together(parts.map(({ outcome }) => outcome)),
    parts,
    ms: parts.reduce((sum, part) => sum + part.ms, 0),
  }));
}

export const failed = ({ claims }: { readonly claims: readonly ClaimAnswer[] }) =>
  claims.some(({ outcome }) => failures.has(outcome));
