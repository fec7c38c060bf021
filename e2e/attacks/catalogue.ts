/** All attacks by family: a file of this folder is a family. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { Attack } from './attack.ts';
import { attacks as conntrack } from './conntrack.ts';
import { attacks as engines } from './engines.ts';
import { attacks as exhaustion } from './exhaustion.ts';
import { attacks as fragments } from './fragments.ts';
import { attacks as guestIpv6 } from './guest-ipv6.ts';
import { attacks as icmp } from './icmp.ts';
import { attacks as inbound } from './inbound.ts';
import { attacks as ipv6 } from './ipv6.ts';
import { attacks as leaving } from './leaving.ts';
import { attacks as linkLayer } from './link-layer.ts';
import { attacks as ownAddress } from './own-address.ts';
import { attacks as policy } from './policy.ts';
import { attacks as rawProtocols } from './raw-protocols.ts';
import { attacks as sources } from './sources.ts';
import { attacks as widePolicy } from './wide-policy.ts';

export const families: Readonly<Record<string, readonly Attack[]>> = {
  'own-address': ownAddress,
  sources,
  leaving,
  fragments,
  icmp,
  'raw-protocols': rawProtocols,
  ipv6,
  'guest-ipv6': guestIpv6,
  'link-layer': linkLayer,
  conntrack,
  inbound,
  exhaustion,
  policy,
  'wide-policy': widePolicy,
  engines,
};

export const allAttacks: readonly Attack[] = Object.values(families).flat();

/** Throws CodedError `unknown-attack`. */
export function attackNamed(id: string): Attack {
  const found = allAttacks.find((attack) => attack.id === id);
  if (found !== undefined) return found;
  throw new CodedError('unknown-attack', `there is no attack ${id}`, 'choose one of e2e/attacks');
}
