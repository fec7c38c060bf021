/**
 * The same messages as `published` (findings.md F1: "the same in vulnerable and published"), behind the
 * older address filter.
 */
import { buildWith } from '../published/dns-build.ts';
import { bind as bindPinAddress } from './pin-address.ts';

export const bind = buildWith(bindPinAddress);
