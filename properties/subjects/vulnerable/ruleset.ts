/** findings.md F4, Vulnerable: "filtering on the forward hook only; the guest reaches `:9091` and `:9443`". */
import type { Bind } from '../../protocol/decision.ts';
import type { ruleset } from '../../protocol/ruleset.ts';
import { huskSteps } from '../published/husk-datapath.ts';

export const bind: Bind<typeof ruleset> =
  (pod) =>
  ({ event }) => ({ steps: huskSteps(pod, event, false), rule: event.kind });
