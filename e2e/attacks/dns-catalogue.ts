/** All attacks on the DNS proxy by family: a file of this folder is a family. */
import { CodedError } from '#reference/base/coded-error.ts';
import { attacks as addresses } from './dns-addresses.ts';
import type { DnsAttack } from './dns-attack.ts';
import { attacks as guest } from './dns-guest.ts';
import { attacks as life } from './dns-life.ts';
import { attacks as load } from './dns-load.ts';
import { attacks as pins } from './dns-pins.ts';
import { attacks as replies } from './dns-replies.ts';
import { attacks as streams } from './dns-streams.ts';

export const dnsFamilies: Readonly<Record<string, readonly DnsAttack[]>> = {
  'dns-addresses': addresses,
  'dns-replies': replies,
  'dns-pins': pins,
  'dns-guest': guest,
  'dns-life': life,
  'dns-load': load,
  'dns-streams': streams,
};

export const allDnsAttacks: readonly DnsAttack[] = Object.values(dnsFamilies).flat();

/** Claims that have an attack over the wire, with the one that stands for them where there is room for one. */
export const dnsShowpieces: ReadonlyMap<string, DnsAttack> = new Map(
  allDnsAttacks.filter(({ showpiece }) => showpiece).map((attack) => [attack.claim, attack]),
);

/** Throws CodedError `unknown-attack`. */
export function dnsAttackNamed(id: string): DnsAttack {
  const found = allDnsAttacks.find((attack) => attack.id === id);
  if (found !== undefined) return found;
  throw new CodedError('unknown-attack', `there is no attack ${id}`, 'choose one of e2e/attacks');
}
