/** F4.depth: one chain less is not a hole yet. */
import * as fc from 'fast-check';
import { outward, ownToLocal } from '../../arbitraries/datapath-attacks.ts';
import type { Scene } from '../../arbitraries/sandbox-scenes.ts';
import { type IpPacket, octetsOf } from '../../models/datapath-packet.ts';
import { rulesetOf, topologyOf } from '../../models/datapath-world.ts';
import {
  type Broken,
  leaving,
  type Situation,
  type StandingSandbox,
  toResolver,
} from '../../oracles/datapath/invariants.ts';
import { follow } from '../../oracles/datapath/known-packet.ts';
import { connectionOf } from '../../oracles/nft/connection.ts';
import type { Outcome } from '../../oracles/nft/evaluate/pipeline.ts';
import type { Ruleset } from '../../oracles/nft/ruleset.ts';
import type { Violation } from '../../oracles/violation.ts';
import { attackClaim, guestSends } from '../attack-claim.ts';
import { type Met, situationOf, verdictText } from '../datapath-claim.ts';

/** Whether tap talks to tap is said on the forward hook alone. */
const once = ['forward', 'output'];
const lessened = new WeakMap<Ruleset, readonly (readonly [missing: string, rules: Ruleset])[]>();

/** The ruleset without each of its base chains in turn. */
function withoutOne(ruleset: Ruleset) {
  const known = lessened.get(ruleset);
  if (known !== undefined) return known;
  const made = ruleset.tables.flatMap((table) =>
    [...table.chains.values()]
      .filter(({ base }) => base !== null && !once.includes(base.hook))
      .map(({ name }) => {
        const chains = new Map([...table.chains].filter(([other]) => other !== name));
        const tables = ruleset.tables.map((one) => (one === table ? { ...table, chains } : one));
        return [`${table.family} ${name}`, { tables }] as const;
      }),
  );
  lessened.set(ruleset, made);
  return made;
}

function objection(scene: Scene, met: Met | null): Violation | null {
  const { content, port } = met?.packet ?? {};
  if (met === null || content?.kind !== 'ip' || content.options === true) return null;
  const situation = situationOf(scene, met.moment);
  const sandbox = situation.standing.get(port ?? '');
  if (sandbox === undefined) return null;
  const octets = octetsOf(met.packet);
  const lesser = withoutOne(rulesetOf(met.moment, scene));
  // One for each packet, another for the next: all of them would cost six times as much.
  const chosen = lesser[octets.reduce((hash, octet) => (hash * 31 + octet) % 65_521, 0) % lesser.length];
  if (chosen === undefined) return null;
  const [missing, rules] = chosen;
  const connection = connectionOf({ state: met.state === 'invalid' ? 'invalid' : 'new' });
  const followed = follow(rules, topologyOf(scene), port ?? null, octets, connection);
  const broken = brokenBy(situation, sandbox, content, followed.outcome);
  if (broken === null) return null;
  return {
    observed: `without the chain ${missing}: ${verdictText({ ...met, followed })}`,
    required: broken.required,
    requiredRule: broken.rule,
  };
}

function brokenBy(
  situation: Situation,
  sandbox: StandingSandbox,
  content: IpPacket,
  outcome: Outcome,
): Broken | null {
  if (outcome.kind === 'delivered' && !toResolver(sandbox, content))
    return { required: 'of the pod only the resolver, port 53, is reached', rule: 'F4 invariant 2' };
  if (outcome.kind !== 'left') return null;
  const { ipv4, ipv6 } = sandbox.network;
  if (content.source !== ipv4.guest && content.source !== ipv6?.guest)
    return { required: `${content.source} is not the guest's address`, rule: 'F4 invariant 1' };
  return leaving(situation, sandbox, content, outcome, null);
}

/** Another port, another hash of the frame: so each of them meets each of the lesser rulesets. */
const examples = Array.from({ length: 32 }, (_, index) => 40_000 + index).flatMap((sport) => [
  guestSends('10.200.0.2', '10.200.0.1', { kind: 'udp', sport, dport: 123 }, { index: 1 }),
  guestSends('10.200.0.2', '10.200.0.1', { kind: 'tcp', sport, dport: 9443, flags: 0x02 }),
  guestSends('10.200.0.9', '1.1.1.1', { kind: 'tcp', sport, dport: 8443, flags: 0x02 }),
]);

export const claim = attackClaim({
  id: 'F4.depth',
  statement:
    'With any one of its base chains gone, forward and output excepted, the ruleset still lets a guest reach the resolver only, and nothing that is not allowed.',
  source: 'findings.md F4, means that work: "the same source check again in prerouting/raw"',
  blindSpot:
    'MAC addresses, VLAN tags, ARP and IP options are looked at on the tap alone; replies are not judged here',
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  attacks: (scene) => fc.oneof(ownToLocal(scene), { weight: 2, arbitrary: outward(scene, 8) }),
  examples,
  phases: ['standing'],
  objection,
});
