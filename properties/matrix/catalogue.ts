/**
 * What there is to run: claims, mutants and subjects, found by where their files stand. A name that is not
 * there is answered with the valid ones.
 */
import { readdir } from 'node:fs/promises';
import { CodedError } from '#reference/base/coded-error.ts';
import { type Claim, type ClaimId, type ClaimStatement, type Finding, findings } from '../claims/claim.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { type BuiltInSubject, builtInSubjects } from '../subjects/subject.ts';

const claimsFolder = new URL('../claims/', import.meta.url);
const mutantsFolder = new URL('../mutants/', import.meta.url);

/**
 * Where a claim's file stands, from the repository root: `F1.embedded` is
 * `properties/claims/F1/embedded.ts`.
 */
export function claimFile(id: ClaimId): string {
  const [finding, name] = id.split('.');
  return `properties/claims/${finding}/${name}.ts`;
}

/** Ids of all claims, by finding, then in alphabetical order. */
export async function listClaimIds(): Promise<ClaimId[]> {
  const ids: ClaimId[] = [];
  for (const finding of findings) {
    for (const name of await moduleNames(new URL(`${finding}/`, claimsFolder)))
      ids.push(`${finding}.${name}`);
  }
  return ids;
}

async function moduleNames(folder: URL): Promise<string[]> {
  let files: string[];
  try {
    files = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return files
    .filter((file) => file.endsWith('.ts') && !/\.(test|property)\.ts$/.test(file))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort();
}

async function loadStatement(id: ClaimId): Promise<ClaimStatement> {
  const [finding, name] = id.split('.');
  const module = (await import(new URL(`${finding}/${name}.ts`, claimsFolder).href)) as {
    claim: ClaimStatement;
  };
  if (module.claim?.id !== id) {
    throw new Error(`${claimFile(id)} exports the claim ${module.claim?.id}: name them alike`);
  }
  return module.claim;
}

/** What the claims say, at whatever tier they are judged. */
export async function loadStatements(ids: readonly ClaimId[]): Promise<ClaimStatement[]> {
  return Promise.all(ids.map(loadStatement));
}

export const isDecisionClaim = (claim: ClaimStatement): claim is Claim => 'decision' in claim.expected;

/** One that tier decision judges. */
export async function loadClaim(id: ClaimId): Promise<Claim> {
  const claim = await loadStatement(id);
  if (isDecisionClaim(claim)) return claim;
  throw new Error(`${id} is not judged at tier decision`);
}

/** Those among them that tier decision judges. */
export async function loadClaims(ids: readonly ClaimId[]): Promise<Claim[]> {
  return (await loadStatements(ids)).filter(isDecisionClaim);
}

/** All mutants, in file order. */
export async function loadMutants(): Promise<Mutant[]> {
  const mutants: Mutant[] = [];
  for (const name of await moduleNames(mutantsFolder)) {
    if (name === 'mutant') continue;
    const module = (await import(new URL(`${name}.ts`, mutantsFolder).href)) as {
      mutants: readonly Mutant[];
    };
    mutants.push(...module.mutants);
  }
  return mutants;
}

/**
 * A mutant by its id.
 * @throws CodedError `unknown-subject` with the valid names
 */
export async function mutantNamed(id: string): Promise<Mutant> {
  const mutants = await loadMutants();
  const found = mutants.find((mutant) => mutant.id === id);
  if (found !== undefined) return found;
  throw unknownName(
    'subject',
    `mutant:${id}`,
    mutants.map((mutant) => `mutant:${mutant.id}`),
  );
}

/**
 * Claims named by ids or findings; all when none is named.
 * @throws CodedError `unknown-claim` with the valid names
 */
export async function selectClaims(wanted: readonly string[]): Promise<ClaimId[]> {
  const all = await listClaimIds();
  if (wanted.length === 0) return all;
  const chosen = new Set<ClaimId>();
  for (const name of wanted) {
    const matching = all.filter((id) => id === name || id.startsWith(`${name}.`));
    if (matching.length === 0) throw unknownName('claim', name, [...presentFindings(all), ...all]);
    for (const id of matching) chosen.add(id);
  }
  return all.filter((id) => chosen.has(id));
}

function presentFindings(ids: readonly ClaimId[]): Finding[] {
  return findings.filter((finding) => ids.some((id) => id.startsWith(`${finding}.`)));
}

export interface SubjectSelection {
  readonly builtIn: readonly BuiltInSubject[];
  readonly mutants: readonly Mutant[];
}

/**
 * Subjects named by `vulnerable`, `published`, `reference`, `mutants` (all of them) or `mutant:<id>`; all
 * when none is named.
 * @throws CodedError `unknown-subject` with the valid names
 */
export async function selectSubjects(wanted: readonly string[]): Promise<SubjectSelection> {
  const mutants = await loadMutants();
  if (wanted.length === 0) return { builtIn: builtInSubjects, mutants };
  const valid = [...builtInSubjects, 'mutants', ...mutants.map((mutant) => `mutant:${mutant.id}`)];
  for (const name of wanted) if (!valid.includes(name)) throw unknownName('subject', name, valid);
  return {
    builtIn: builtInSubjects.filter((name) => wanted.includes(name)),
    mutants: mutants.filter(({ id }) => wanted.includes('mutants') || wanted.includes(`mutant:${id}`)),
  };
}

/** An error that lists the valid alternatives, the closest first. */
export function unknownName(kind: string, name: string, valid: readonly string[]): CodedError {
  const ranked = [...valid].sort((a, b) => editDistance(name, a) - editDistance(name, b));
  const closest = ranked[0];
  const hint = closest !== undefined && editDistance(name, closest) <= 3 ? `did you mean '${closest}'? ` : '';
  return new CodedError(
    `unknown-${kind}`,
    `there is no ${kind} '${name}'`,
    `${hint}valid: ${valid.join(', ')}`,
  );
}

/** Levenshtein distance, ignoring case. */
function editDistance(from: string, to: string): number {
  const a = from.slice(0, 64).toLowerCase();
  const b = to.toLowerCase();
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
