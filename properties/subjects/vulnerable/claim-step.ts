/**
 * findings.md F3, Vulnerable: "an activation target was any Running, Ready pod with the husk labels"; the
 * rest of claim handling was as in the published fix.
 */
import type { claimStep } from '../../protocol/claim-step.ts';
import type { Bind } from '../../protocol/decision.ts';
import { claimHandling } from '../published/claim-step.ts';

export const bind: Bind<typeof claimStep> = claimHandling(() => true);
