/** The claims of finding F4 that a ruleset can answer, for every tap; each holds only when every part does. */
import { conntrackActive } from '#properties/oracles/nft/evaluate/hooks.ts';
import type { Ruleset } from '#properties/oracles/nft/ruleset.ts';
import type { Topology } from '#properties/oracles/nft/topology.ts';
import { type Asked, establishedParts, inputParts, sourceParts } from './claims/guest-questions.ts';
import { inboundParts, leaveParts, podParts } from './claims/world-questions.ts';
import type { Facts } from './facts.ts';
import { judge, type PartAnswer } from './judge.ts';
import { type ClaimId, claimIds, isMissing, type Part } from './part.ts';

export interface ClaimAnswer {
  readonly claim: ClaimId;
  readonly outcome: 'holds' | 'falsified' | 'unsupported';
  readonly parts: readonly PartAnswer[];
  readonly ms: number;
}

export interface Subject {
  readonly ruleset: Ruleset;
  readonly topology: Topology;
  readonly bridgePorts: Readonly<Record<string, string>>;
  readonly facts: Facts;
}

export interface Checked {
  readonly claims: readonly ClaimAnswer[];
  readonly assumptions: readonly string[];
}

export function checkClaims(subject: Subject): Checked {
  const { ruleset, topology, facts } = subject;
  const conntrack = (family: 4 | 6) => conntrackActive(ruleset, family);
  const asked: Asked = { facts, topology, conntrack, ingress: ingressDevices(ruleset) };
  const ports = Object.keys(subject.bridgePorts);
  const parts: Part[] = facts.taps.flatMap((tap) => {
    const own = [
      ...inputParts(asked, tap),
      ...sourceParts(asked, tap),
      ...leaveParts(asked, tap),
      ...establishedParts(asked, tap),
      ...inboundParts(asked, tap, ports),
    ];
    if (facts.taps.length === 1) return own;
    return own.map((part) => ({ ...part, name: `${tap.tap}: ${part.name}` }));
  });
  if (facts.taps.length === 0) parts.push(...withoutTap);
  parts.push(...podParts(asked));
  const { answers, assumptions } = judge(
    subject,
    parts.map((part) => unlessUnread(subject, part)),
  );
  const list = [...answers];
  const claims = claimIds.map((claim) => {
    const own = list.filter(([part]) => part.claim === claim).map(([, answer]) => answer);
    return { claim, outcome: together(own), parts: own, ms: own.reduce((sum, { ms }) => sum + ms, 0) };
  });
  return { claims, assumptions: [...assumptions, ...ownAssumptions] };
}

const withoutTap: readonly Part[] = claimIds
  .filter((claim) => claim !== 'F4.pod')
  .map((claim) => ({
    claim,
    name: 'tap',
    never: 'a packet of the guest breaks it',
    reason: 'nobody said where the guest is',
    give: '--tap INTERFACE --guest ADDRESS --guest-mac MAC',
  }));

function ingressDevices({ tables }: Ruleset): Set<string> {
  const chains = tables.filter(({ dormant }) => !dormant).flatMap((table) => [...table.chains.values()]);
  return new Set(chains.flatMap(({ base }) => (base?.hook === 'ingress' ? base.devices : [])));
}

const ownAssumptions: readonly string[] = [
  'a packet of a flow is judged by the first packet of the flow; flows that began under other rules are not judged',
  'frames that a bridge carries between its ports are not judged, and br_netfilter is off',
  'a reject counts as a drop: the answer that it sends is not judged',
  'the guest has no IPv6 address: every IPv6 packet of its is another’s',
];

function together(parts: readonly PartAnswer[]): ClaimAnswer['outcome'] {
  if (parts.some(({ outcome }) => outcome === 'falsified')) return 'falsified';
  if (parts.length === 0 || parts.some(({ outcome }) => outcome === 'unsupported')) return 'unsupported';
  return 'holds';
}

/** What a bridge and a port's own ingress do comes before the IP layer, and is not read. */
function unlessUnread({ ruleset, facts, bridgePorts }: Subject, part: Part): Part {
  if (isMissing(part) || part.device === null) return part;
  const ports = facts.taps.filter(({ tap, device }) => tap !== device && device === part.device);
  const bridged = ports.length > 0 || Object.values(bridgePorts).includes(part.device);
  if (!bridged) return part;
  const names = [...ports.map(({ tap }) => tap), ...Object.keys(bridgePorts)];
  for (const { family, name, chains, dormant } of ruleset.tables) {
    for (const { base, name: chain } of dormant ? [] : chains.values()) {
      const atPort = base?.hook === 'ingress' && base.devices.some((one) => names.includes(one));
      if (base === null || (family !== 'bridge' && !atPort)) continue;
      return {
        claim: part.claim,
        name: part.name,
        never: part.never,
        reason: `${family} ${name} ${chain} sees frames before the IP layer, and is not read`,
        give: 'a tap that is no port of a bridge',
      };
    }
  }
  return part;
}
