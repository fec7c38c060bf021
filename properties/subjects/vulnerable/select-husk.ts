/**
 * findings.md F3, Vulnerable: "an activation target was any Running, Ready pod with the husk labels". The
 * rest was as in the published fix.
 */
import type { Bind } from '../../protocol/decision.ts';
import type { selectHusk } from '../../protocol/select-husk.ts';
import { selectBy } from '../published/select-husk.ts';

export const bind: Bind<typeof selectHusk> = () => (input) => selectBy(() => true, input);
