/**
 * The two lists of findings.md, F1 (5) and (6), one source for DNS pins and the datapath. *Never* beats
 * everything; *private* yields to an explicit CIDR of the operator (pins) or the template (datapath).
 */
import { cloudTable } from './cloud-table.ts';

export interface ListedPrefix {
  readonly prefix: string;
  /** Name of the rule, as verdicts carry it. */
  readonly rule: string;
}

export const neverList: readonly ListedPrefix[] = [
  { prefix: '127.0.0.0/8', rule: 'loopback (RFC 1122)' },
  { prefix: '169.254.0.0/16', rule: 'link-local (RFC 3927)' },
  { prefix: '224.0.0.0/4', rule: 'multicast (RFC 5771)' },
  { prefix: '::1/128', rule: 'loopback (RFC 4291)' },
  { prefix: 'fe80::/10', rule: 'link-local (RFC 4291)' },
  { prefix: 'ff00::/8', rule: 'multicast (RFC 4291)' },
  ...cloudTable.map(({ prefix, provider, purpose }) => ({ prefix, rule: `cloud ${provider}: ${purpose}` })),
];

export const privateList: readonly ListedPrefix[] = [
  { prefix: '0.0.0.0/8', rule: 'this network (RFC 791)' },
  { prefix: '10.0.0.0/8', rule: 'private use (RFC 1918)' },
  { prefix: '100.64.0.0/10', rule: 'shared address space (RFC 6598)' },
  { prefix: '172.16.0.0/12', rule: 'private use (RFC 1918)' },
  { prefix: '192.0.0.0/24', rule: 'IETF protocol assignments (RFC 6890)' },
  { prefix: '192.0.2.0/24', rule: 'documentation (RFC 5737)' },
  { prefix: '192.31.196.0/24', rule: 'AS112 (RFC 7535)' },
  { prefix: '192.52.193.0/24', rule: 'AMT (RFC 7450)' },
  { prefix: '192.88.99.0/24', rule: '6to4 relay anycast (RFC 7526)' },
  { prefix: '192.168.0.0/16', rule: 'private use (RFC 1918)' },
  { prefix: '192.175.48.0/24', rule: 'AS112 (RFC 7534)' },
  { prefix: '198.18.0.0/15', rule: 'benchmarking (RFC 2544)' },
  { prefix: '198.51.100.0/24', rule: 'documentation (RFC 5737)' },
  { prefix: '203.0.113.0/24', rule: 'documentation (RFC 5737)' },
  { prefix: '240.0.0.0/4', rule: 'reserved (RFC 1112)' },
  { prefix: '2001::/23', rule: 'IETF protocol assignments (RFC 2928)' },
  { prefix: '2001:db8::/32', rule: 'documentation (RFC 3849)' },
  { prefix: '2620:4f:8000::/48', rule: 'AS112 (RFC 7534)' },
  { prefix: '3fff::/20', rule: 'documentation (RFC 9637)' },
];

/** Outside global unicast nothing is allowed (IANA allocates from 2000::/3 only). */
export const globalUnicast = '2000::/3';
export const outsideGlobalUnicast = 'outside 2000::/3';
