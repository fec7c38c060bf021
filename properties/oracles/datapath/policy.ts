/** Where a sandbox may send, by the registries and the policy alone: findings.md F4, invariant 3. */

import type { ConfigOf, InputOf } from '../../protocol/decision.ts';
import type { ruleset } from '../../protocol/ruleset.ts';
import {
  type AddressNumber,
  addressNumber,
  type Interval,
  intervalOf,
  within,
} from '../addresses/address-number.ts';
import { type Policy as AddressPolicy, requiredOf } from '../addresses/address-oracle.ts';

type Pod = ConfigOf<typeof ruleset>;
type RulesetEvent = InputOf<typeof ruleset>['event'];
export type SandboxPolicy = Extract<RulesetEvent, { kind: 'open-sandbox' }>['policy'];
export type Pin = Extract<RulesetEvent, { kind: 'pin' }>['pins'][number];

interface Place {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly interval: Interval;
}

/** Everything private may be pinned: what is refused still is refused for ever. */
const everything = ['0.0.0.0/0', '::/0'];
const derived = new WeakMap<Pod, { readonly own: AddressPolicy; readonly never: AddressPolicy }>();

function addressPolicies(pod: Pod) {
  const known = derived.get(pod);
  if (known !== undefined) return known;
  const { denyCIDRs, nat64Prefixes, pinPrivateCIDRs } = pod;
  const made = {
    own: { denyCIDRs, nat64Prefixes, pinPrivateCIDRs },
    never: { denyCIDRs, nat64Prefixes, pinPrivateCIDRs: everything },
  };
  derived.set(pod, made);
  return made;
}

const parsed = new WeakMap<SandboxPolicy, readonly Place[]>();

/** The CIDR entries of an allow list; names are the DNS proxy's. */
export function cidrsOf(policy: SandboxPolicy): readonly Place[] {
  const known = parsed.get(policy);
  if (known !== undefined) return known;
  const made = policy.allow.flatMap((entry): Place[] => {
    const [, scheme, host = '', port = ''] = /^(?:(tcp|udp):\/\/)?(.+):(\d+)$/.exec(entry) ?? [];
    const bare = host.replace(/[[\]]/g, '');
    if (!/^[0-9a-f.:]+(\/\d+)?$/i.test(bare) || !/[.:]/.test(bare)) return [];
    const whole = bare.includes('/') ? bare : `${bare}/${bare.includes(':') ? 128 : 32}`;
    return [{ protocol: scheme === 'udp' ? 'udp' : 'tcp', port: Number(port), interval: intervalOf(whole) }];
  });
  parsed.set(policy, made);
  return made;
}

export interface Sent {
  readonly destination: string;
  readonly protocol: number;
  /** null: neither TCP nor UDP. */
  readonly port: number | null;
  /** An echo request. */
  readonly echo: boolean;
}

export type Allowed =
  | { readonly allowed: true; readonly rule: string }
  | { readonly allowed: false; readonly rule: string };

const names: Readonly<Record<number, 'tcp' | 'udp'>> = { 6: 'tcp', 17: 'udp' };

export function mayLeave(pod: Pod, policy: SandboxPolicy, pins: readonly Pin[], sent: Sent): Allowed {
  const { own, never } = addressPolicies(pod);
  const { destination, port } = sent;
  const address: AddressNumber = addressNumber(destination);
  const forever = requiredOf(never, destination);
  if (!forever.mayPin || forever.as !== 'itself') return { allowed: false, rule: `never: ${forever.rule}` };
  const protocol = names[sent.protocol];
  const named = cidrsOf(policy).find(
    (one) => one.protocol === protocol && one.port === port && within(one.interval, address),
  );
  if (named !== undefined) return { allowed: true, rule: 'a CIDR of the template' };
  const required = requiredOf(own, destination);
  if (!required.mayPin || required.as !== 'itself')
    return { allowed: false, rule: `private: ${required.rule}` };
  const pinned = pins.some(
    (pin) => pin.address === destination && pin.protocol === protocol && pin.port === port,
  );
  if (pinned) return { allowed: true, rule: 'a pin' };
  if (policy.egress === 'allow' && (protocol !== undefined || sent.echo))
    return { allowed: true, rule: 'egress is allow' };
  return { allowed: false, rule: 'neither a CIDR of the template nor a pin' };
}
