/**
 * Pods with two sandboxes, their policies and pins: what rulesets are made for. A scene is named by a small
 * number and made from nothing else, so that a replay meets the same and a subject makes each once.
 */
import * as fc from 'fast-check';
import type { ConfigOf, InputOf } from '../protocol/decision.ts';
import type { ruleset } from '../protocol/ruleset.ts';

export type Pod = ConfigOf<typeof ruleset>;
export type RulesetEvent = InputOf<typeof ruleset>['event'];
export type Network = Extract<RulesetEvent, { kind: 'open-sandbox' }>['network'];
export type SandboxPolicy = Extract<RulesetEvent, { kind: 'open-sandbox' }>['policy'];
export type Pin = Extract<RulesetEvent, { kind: 'pin' }>['pins'][number];

export interface Scene {
  readonly index: number;
  readonly pod: Pod;
  /** IPv6 of guests is on, and the pod forwards it. */
  readonly ipv6: boolean;
  readonly sandboxes: readonly [SceneSandbox, SceneSandbox];
}

export interface SceneSandbox {
  readonly network: Network;
  readonly policy: SandboxPolicy;
  /** What the policy changes to. */
  readonly next: SandboxPolicy;
  readonly pins: readonly Pin[];
}

/** The pod's own addresses on its uplink. */
export const uplink = {
  name: 'eth0',
  mac: [2, 0, 0, 0, 1, 1],
  ipv4: '172.20.0.10',
  ipv6: 'fd00:2::10',
} as const;
/** Of an interface that no datapath was told of. */
export const unnamed = { name: 'eth1', mac: [2, 0, 0, 0, 2, 1], ipv4: '10.250.0.1' } as const;
export const neighbour = { mac: [2, 0, 0, 0, 1, 9], ipv4: '172.20.0.20', ipv6: 'fd00:2::20' } as const;

const allowPool = [
  '93.184.216.0/24:443',
  'udp://9.9.9.9:53',
  '10.20.0.0/16:80',
  'api.example:8443',
  '172.20.0.20/32:8080',
  'udp://0.0.0.0/0:123',
  '169.254.0.0/16:80',
  '93.184.216.128/25:8443',
] as const;
const allowPool6 = [
  '[2606:4700::/32]:443',
  'udp://[2620:fe::fe]:53',
  '[fd00:20::/32]:80',
  '[::/0]:123',
] as const;
const denyPool = ['10.96.0.0/12', '93.184.216.64/28', '2a00:1450::/32', '2606:4700:dead::/48'] as const;
const inboundPool: readonly SandboxPolicy['inbound'][number][] = [
  { protocol: 'tcp', podPort: 8080, guestPort: 80, from: '172.20.0.0/24' },
  { protocol: 'udp', podPort: 5353, guestPort: 53, from: '172.20.0.20/32' },
  { protocol: 'tcp', podPort: 8081, guestPort: 8081, from: '10.0.0.0/8' },
];
const subset = <T>(pool: readonly T[], bits: number): T[] =>
  pool.filter((_, index) => ((bits >> index) & 1) === 1);

function policyOf(bits: number, ipv6: boolean, inbound: boolean): SandboxPolicy {
  return {
    egress: bits % 5 === 3 ? 'allow' : 'deny',
    allow: [...subset(allowPool, bits), ...(ipv6 ? subset(allowPool6, bits >> 2) : [])],
    inbound: inbound ? subset(inboundPool, bits >> 1) : [],
  };
}

function networkOf(at: number, bits: number, ipv6: boolean): Network {
  const gateway = `10.200.0.${4 * at + 1}`;
  const prefix6 = at === 0 ? 'fd00:200::' : `fd00:200:0:${at}::`;
  const gateway6 = `${prefix6}1`;
  return {
    tap: `tap${at}`,
    tapMac: `02:00:00:00:0${at}:01`,
    guestMac: `02:00:00:00:0${at}:02`,
    ipv4: {
      guest: `10.200.0.${4 * at + 2}`,
      gateway,
      resolver: bits % 4 === 1 ? `10.201.0.${at + 1}` : gateway,
    },
    ipv6: ipv6 ? { guest: `${prefix6}2`, gateway: gateway6, resolver: gateway6 } : null,
  };
}

/** Pinnable under every policy of the scenes. */
export const pinned4 = { address: '1.1.1.1', protocol: 'tcp', port: 8443 } as const;
export const pinned6 = { address: '2001:4860:4860::8888', protocol: 'udp', port: 443 } as const;

function sandboxOf(at: number, index: number, ipv6: boolean): SceneSandbox {
  const bits = (index * 101 + at * 37 + 9) % 256;
  // Both may open the same port of the pod: only the first does.
  const inbound = at === 0;
  return {
    network: networkOf(at, index, ipv6),
    policy: policyOf(bits, ipv6, inbound),
    next: policyOf((bits * 7 + 3) % 256, ipv6, inbound),
    pins: index % 3 === 2 ? [] : [pinned4, ...(ipv6 ? [pinned6] : [])],
  };
}

function sceneOf(index: number): Scene {
  const ipv6 = index % 2 === 1;
  return {
    index,
    ipv6,
    pod: {
      uplink: uplink.name,
      denyCIDRs: subset(denyPool, (index * 7) % 16),
      nat64Prefixes: index % 4 === 3 ? ['2001:67c:2e8::/48'] : [],
      pinPrivateCIDRs: index % 6 === 4 ? ['10.30.0.0/16'] : [],
      masqueradePorts: [20_000, 30_000],
      maxPins: 64,
    },
    sandboxes: [sandboxOf(0, index, ipv6), sandboxOf(1, index, ipv6)],
  };
}

export const scenes: readonly Scene[] = Array.from({ length: 18 }, (_, index) => sceneOf(index));
export const sceneArbitrary: fc.Arbitrary<Scene> = fc
  .nat({ max: scenes.length - 1 })
  .map((index) => scenes[index] as Scene);
