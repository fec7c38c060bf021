/** Every decision that a subject can implement, by its public name. */
import { activationStep } from './activation-step.ts';
import { agentStep } from './agent-step.ts';
import { authorizeClaim } from './authorize-claim.ts';
import { authorizeWorkspace } from './authorize-workspace.ts';
import { claimStep } from './claim-step.ts';
import type { Decision } from './decision.ts';
import { dnsBuild } from './dns-build.ts';
import { dnsQuery } from './dns-query.ts';
import { dnsReply } from './dns-reply.ts';
import { kernelDigest } from './kernel-digest.ts';
import { pinAddress } from './pin-address.ts';
import { pinLedger } from './pin-ledger.ts';
import { reseedGate } from './reseed-gate.ts';
import { reseedReport } from './reseed-report.ts';
import { resumeGate } from './resume-gate.ts';
import { ruleset } from './ruleset.ts';
import { selectHusk } from './select-husk.ts';

export const decisions = {
  'pin-address': pinAddress,
  'dns-query': dnsQuery,
  'dns-reply': dnsReply,
  'dns-build': dnsBuild,
  'pin-ledger': pinLedger,
  'kernel-digest': kernelDigest,
  'reseed-report': reseedReport,
  'reseed-gate': reseedGate,
  'agent-step': agentStep,
  'activation-step': activationStep,
  'select-husk': selectHusk,
  'claim-step': claimStep,
  'authorize-claim': authorizeClaim,
  'resume-gate': resumeGate,
  'authorize-workspace': authorizeWorkspace,
  ruleset,
} as const satisfies Record<string, Decision>;

export type Decisions = typeof decisions;
export type DecisionName = keyof Decisions;
