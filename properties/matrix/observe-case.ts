/**
 * One case, found again by its seed and path, judged and observed on several subjects: the same input for
 * each.
 */
import * as fc from 'fast-check';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Claim } from '../claims/claim.ts';
import type { Violation } from '../oracles/violation.ts';
import { loadSubject, SubjectFailure } from '../subjects/load-subject.ts';
import { type BuiltInSubject, builtInSubjects } from '../subjects/subject.ts';

export interface Observation {
  readonly subject: BuiltInSubject;
  /** What the subject did, with its rule. */
  readonly did: string;
  readonly outcome: 'holds' | 'falsified' | 'crashed' | 'garbage';
  readonly violation: Violation | null;
  /** null: the path was open; else what the positive control found closed. */
  readonly control: string | null;
}

/**
 * The case that a path names.
 * @throws CodedError `bad-path` when there is none
 */
export async function findCase<Case>(claim: Claim<Case>, seed: number, path: string): Promise<Case> {
  const example = /^example:(\d+)$/.exec(path)?.[1];
  if (example !== undefined) {
    const found = claim.examples?.()[Number(example)];
    if (found !== undefined) return found;
    throw noSuchCase(claim, path);
  }
  const [own, replayPath] = path.split('@');
  const arbitrary = claim.arbitrary(replayPath === undefined ? {} : { replayPath });
  const found: Case[] = [];
  // A case that fails at once is the one that the path names; nothing is shrunk.
  await fc.check(
    fc.property(arbitrary, (input) => {
      found.push(input);
      return false;
    }),
    { seed, path: own ?? '', endOnFailure: true, numRuns: 1 },
  );
  const [first] = found;
  if (first === undefined) throw noSuchCase(claim, path);
  return first;
}

function noSuchCase(claim: { id: string }, path: string): CodedError {
  return new CodedError('bad-path', `${claim.id} has no case at ${path}`, 'copy the whole replay line');
}

/** Judges the case that the path names on every built-in subject that has input for the claim. */
export async function observeCase(claim: Claim, seed: number, path: string): Promise<Observation[]> {
  const observations: Observation[] = [];
  for (const name of builtInSubjects) {
    if (claim.expected.decision[name] === 'no-input') continue;
    const subject = await loadSubject(name, claim.decisions);
    try {
      const control = claim.control(subject);
      // A case made of commands is spent by a run: each use gets its own.
      const violation = await claim.judge(subject, await findCase(claim, seed, path));
      const did = await claim.observe(subject, await findCase(claim, seed, path));
      observations.push({
        subject: name,
        did,
        outcome: violation === null ? 'holds' : 'falsified',
        violation,
        control,
      });
    } catch (error) {
      if (!(error instanceof SubjectFailure)) throw error;
      observations.push({
        subject: name,
        did: error.message,
        outcome: error.outcome,
        violation: null,
        control: null,
      });
    }
  }
  return observations;
}
