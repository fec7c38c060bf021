/** What was found of a resolver, as a file: outcomes by part, without what differs from run to run. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ResolverTool } from '#kvm-lab/resolvers/resolver-tool.ts';
import type { Outcome, PartAnswer } from '../finding.ts';
import type { ClaimId } from './claim-ids.ts';
import type { Checked } from './claims-of-server.ts';

export interface PartResult {
  readonly id: string;
  readonly outcome: Outcome;
  /** Of what does not hold. */
  readonly observed?: string;
}

export interface ResolverResult {
  readonly v: 1;
  readonly kind: 'huskproof-resolver';
  readonly tool: string;
  readonly version: string;
  readonly setting: string;
  readonly documented: string;
  readonly beside: string;
  readonly server: Checked['server'];
  readonly claims: readonly {
    readonly claim: ClaimId;
    readonly outcome: Outcome;
    readonly parts: readonly PartResult[];
  }[];
}

const folder = fileURLToPath(new URL('../../../properties/vectors/measured/resolvers/', import.meta.url));

export const resultPath = (tool: string) => `${folder}${tool}.json`;

export function committedResults(names: readonly string[]): ResolverResult[] {
  const there = readdirSync(folder);
  return names.filter((name) => there.includes(`${name}.json`)).map((name) => readResult(resultPath(name)));
}

export function readResult(path: string): ResolverResult {
  return JSON.parse(readFileSync(path, 'utf8')) as ResolverResult;
}

export function resultOf(tool: ResolverTool, version: string, { server, claims }: Checked): ResolverResult {
  const { name, setting, documented, beside } = tool;
  return {
    v: 1,
    kind: 'huskproof-resolver',
    tool: name,
    version,
    setting,
    documented,
    beside,
    server,
    claims: claims.map(({ claim, outcome, parts }) => ({ claim, outcome, parts: parts.map(partResult) })),
  };
}

function partResult({ id, outcome, observed }: PartAnswer): PartResult {
  return outcome === 'holds' ? { id, outcome } : { id, outcome, observed: steady(observed) };
}

/** Names, counts of a race and milliseconds are another each time. */
function steady(observed: string): string {
  return observed
    .replaceAll(/n\d+-p[a-z0-9]+\.r[0-9a-f]{8}\./gi, 'NAME.')
    .replaceAll(/\d+ ms/g, 'time')
    .replaceAll(/IDs \d+ → \d+.*/g, 'IDs are the guest’s')
    .replace(
      /^\d+ of \d+ honest questions unanswered beside (\d+) \(\d+ reached/,
      'honest questions unanswered beside $1 (some reached',
    );
}

/** One part a line: a diff of two results shows the part that changed. */
export function resultText({ claims, ...head }: ResolverResult): string {
  const lines = claims.map(({ claim, outcome, parts }) => {
    const list = parts.map((part) => `      ${JSON.stringify(part)}`).join(',\n');
    return `    {"claim": "${claim}", "outcome": "${outcome}", "parts": [\n${list}\n    ]}`;
  });
  const opening = JSON.stringify(head, null, 2).replace(/\n\}$/, '');
  return `${opening},\n  "claims": [\n${lines.join(',\n')}\n  ]\n}\n`;
}

/** `F1.chain answer/other-owner: holds → falsified`, where they differ. */
export function differences(before: ResolverResult, now: ResolverResult): string[] {
  const outcomes = ({ claims }: ResolverResult) =>
    new Map(
      claims.flatMap(({ claim, parts }) => parts.map(({ id, outcome }) => [`${claim} ${id}`, outcome])),
    );
  const [old, fresh] = [outcomes(before), outcomes(now)];
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((part) => old.get(part) !== fresh.get(part))
    .map((part) => `${part}: ${old.get(part)} → ${fresh.get(part)}`);
}
