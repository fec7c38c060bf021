/** What the three DNS decisions share: the compiled policy of one sandbox. */
import {
  type AddressPolicy,
  type CompiledAddressPolicy,
  compileAddressPolicy,
} from '../pin-address/pin-address.ts';
import { type Allowlist, compileAllowlist } from './allowlist.ts';

export interface DnsPolicyOptions extends AddressPolicy {
  readonly allow: readonly string[];
  readonly ipv6: boolean;
  readonly randomCase: boolean;
  readonly ttlFloorSeconds: number;
  readonly ttlCeilingSeconds: number;
  readonly maxPinsPerAnswer: number;
}

export interface DnsPolicy {
  readonly allowlist: Allowlist;
  readonly addresses: CompiledAddressPolicy;
  readonly ipv6: boolean;
  readonly randomCase: boolean;
  readonly ttlFloorSeconds: number;
  readonly ttlCeilingSeconds: number;
  readonly maxPinsPerAnswer: number;
}

/** @throws CodedError `bad-allow-entry`, `bad-prefix`, `bad-nat64-prefix` */
export function compileDnsPolicy(options: DnsPolicyOptions): DnsPolicy {
  return { ...options, allowlist: compileAllowlist(options.allow), addresses: compileAddressPolicy(options) };
}

export type Transport = 'udp' | 'tcp';

/** Largest UDP payload that this proxy offers upstream and accepts from a guest (DNS flag day 2020). */
export const udpPayloadOctets = 1_232;
