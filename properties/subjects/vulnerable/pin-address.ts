/**
 * The pin filter before the fix (findings.md F1, "Vulnerable"): "refused RFC 1918, ULA, loopback,
 * link-local, multicast, unspecified, CGNAT"; it looked into no wrapper.
 */
import type { Bind } from '../../protocol/decision.ts';
import type { pinAddress } from '../../protocol/pin-address.ts';
import { filterBy, refusesBefore } from '../published/pin-address.ts';

export const bind: Bind<typeof pinAddress> = () => filterBy(refusesBefore);
