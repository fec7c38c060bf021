/**
 * Drives a subject's reseed-report against a model kernel until it replies: the guest agent's reseed, call
 * by call.
 */
import type { InputOf, OutputOf } from '../protocol/decision.ts';
import type { reseedReport } from '../protocol/reseed-report.ts';
import type { Subject } from '../subjects/subject.ts';
import type { KernelGenerator } from './kernel-generator.ts';

export type Request = InputOf<typeof reseedReport>['request'];
export type Reply = NonNullable<OutputOf<typeof reseedReport>['reply']>;

const config = {};
/** More than any agent needs; one that never replies has reported no success. */
const maxCalls = 8;

export interface ReportRun {
  readonly reply: Reply | null;
  readonly rule: string;
  /** `RNDADDENTROPY = 0`, one for each call, as strace shows it. */
  readonly trace: readonly string[];
}

export function runReport(subject: Subject, request: Request, kernel: KernelGenerator): ReportRun {
  const report = subject.decide('reseed-report', config);
  const results: InputOf<typeof reseedReport>['results'] = [];
  const trace: string[] = [];
  for (let calls = 0; calls < maxCalls; calls++) {
    const { next, reply, rule } = report({ request, results });
    if (reply !== undefined) return { reply, rule, trace };
    if (next === undefined) return { reply: null, rule, trace };
    const { call, ret, errno, octets } = kernel.execute(next);
    results.push(octets === undefined ? { call, ret, errno } : { call, ret, errno, octets });
    trace.push(`${call} = ${ret}${errno === null ? '' : ` ${errno}`}`);
  }
  return { reply: null, rule: 'no reply', trace };
}
