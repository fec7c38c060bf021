/** Reads a workflow of GitHub Actions as far as its steps are looked at and run here. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { CodedError } from '#reference/base/coded-error.ts';

export interface Step {
  /** Of those that run something, unique. */
  readonly id?: string;
  readonly name?: string;
  readonly run?: string;
  readonly uses?: string;
  readonly if?: string;
  readonly with?: Readonly<Record<string, string>>;
}

export interface Job {
  readonly 'timeout-minutes'?: number;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly unknown[]>> };
  readonly env?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

export interface Workflow {
  readonly name: string;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

/** @throws CodedError `bad-workflow` */
export function readWorkflow(path: string): Workflow {
  const document = parseDocument(readFileSync(path, 'utf8'), { uniqueKeys: true });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw badWorkflow(path, fault.message);
  const workflow = document.toJS() as Workflow;
  if (Object.keys(workflow?.jobs ?? {}).length === 0) throw badWorkflow(path, 'it has no jobs');
  return workflow;
}

function badWorkflow(path: string, what: string): CodedError {
  return new CodedError('bad-workflow', `${path}: ${what}`, 'mend what the message names');
}
