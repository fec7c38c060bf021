/**
 * findings.md F4, Published: "an input-hook chain per tap: accept guest → resolver udp/tcp 53, then
 * `ip saddr <guest> drop`; policy accept".
 */
import type { Bind } from '../../protocol/decision.ts';
import type { ruleset } from '../../protocol/ruleset.ts';
import { huskSteps } from './husk-datapath.ts';

export const bind: Bind<typeof ruleset> =
  (pod) =>
  ({ event }) => ({ steps: huskSteps(pod, event, true), rule: event.kind });
