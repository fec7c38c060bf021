/**
 * The reference's rulesets keep the invariants of findings.md F4 for every packet; DNS pins and rules agree on
 * every address; a change of policy leaves what a fresh one makes, in one transaction.
 */
import { pinSetOf } from '#reference/contract/datapath.ts';
import { compileAddressPolicy } from '#reference/decisions/pin-address/pin-address.ts';
import { honestLink } from '../arbitraries/datapath-attacks.ts';
import { type Scene, scenes, uplink } from '../arbitraries/sandbox-scenes.ts';
import { firstPacket, send } from '../claims/datapath-claim.ts';
import { endOf, momentsOf } from '../models/datapath-life.ts';
import { octetsOf } from '../models/datapath-packet.ts';
import { type LifeEvent, type Moment, rulesetOf, topologyOf } from '../models/datapath-world.ts';
import { contentOf } from '../models/nft-listing.ts';
import { mutants } from '../mutants/ruleset.ts';
import { mutants as ofFrames } from '../mutants/ruleset-frames.ts';
import { addressText } from '../oracles/addresses/address-number.ts';
import {
  againstOthers,
  againstTap,
  againstUnnamed,
  type Described,
  trackedAsHere,
} from '../oracles/datapath/every-packet.ts';
import { markOf } from '../oracles/datapath/flow.ts';
import { prove } from '../oracles/nft/prove/prove.ts';
import { loadSubject } from '../subjects/load-subject.ts';
import type { Subject } from '../subjects/subject.ts';
import { DecisionReader, decidedSets } from './addresses/decision-sets.ts';
import { essentialPolicies, type NamedPolicy } from './addresses/named-policies.ts';
import { NumberSets } from './addresses/number-sets.ts';
import { type Counts, mutantsNamed, type Proof, type ProofResult } from './proof.ts';
import { letThrough, outOfReach, withEverythingPinned } from './rules/pinned-and-let-through.ts';

const pod: LifeEvent = { kind: 'open-pod' };
const open: LifeEvent = { kind: 'open', at: 0 };
const pin: LifeEvent = { kind: 'pin', at: 0 };
const devices = ['tap0', uplink.name, null, 'eth1'] as const;

/** Of IPv4 and of IPv6, deny and allow, with and without inbound ports, pins and NAT64. */
const chosen = [0, 3, 8, 14, 1, 11].map((index) => scenes[index] as Scene);

interface Total {
  questions: number;
  nodes: number;
  addresses: number;
  changes: number;
}

type Trace = readonly string[];

function describedBy(scene: Scene, moment: Moment): Described {
  const [{ network, policy, pins }] = scene.sandboxes;
  const query = { by: 0, protocol: 'udp', destination: network.ipv4.resolver, port: 53 } as const;
  const { tracked } = send(scene, moment, firstPacket(scene, query)).outcome.packet;
  const mark = tracked === null ? 0 : markOf(tracked);
  return { pod: scene.pod, network, policy, pins, mark, topology: topologyOf(scene) };
}

function everyPacket(subject: Subject, scene: Scene, total: Total): Trace | null {
  const moment = endOf(subject, scene, [pod, open, pin]);
  const described = describedBy(scene, moment);
  for (const device of devices) {
    const answer = prove({
      ruleset: rulesetOf(moment, scene),
      topology: described.topology,
      device,
      assuming: (unknown, bdds) => trackedAsHere(device, unknown, bdds),
      forbidden(outcome, unknown, bdds) {
        if (device === 'tap0') return againstTap(described, outcome, unknown, bdds);
        if (device === 'eth1') return againstUnnamed(outcome);
        return againstOthers(described, device, outcome, unknown, bdds);
      },
    });
    total.questions += 1;
    total.nodes += answer.nodes;
    if (answer.result === 'holds') continue;
    const { fields, outcome, rules } = answer.packet;
    const words = Object.entries(fields).map(([name, value]) => `${name} ${value}`);
    return [
      `scene      ${scene.index}; ${device ?? 'the pod'} ${device === null ? 'sends' : 'receives'}`,
      `packet     ${words.join(', ')}`,
      `outcome    ${outcome}`,
      ...rules.map((rule) => `           ${rule}`),
    ];
  }
  return null;
}

/** No address can be pinned that the rules deny, and they open none that cannot be pinned. */
function sameAddresses(subject: Subject, { says, policy }: NamedPolicy, total: Total): Trace | null {
  const base = scenes[1] as Scene;
  const bare = { egress: 'deny', allow: [], inbound: [] } as const;
  const [first, second] = base.sandboxes;
  const sandbox = { ...first, policy: { ...bare, allow: [], inbound: [] } };
  const scene: Scene = { ...base, pod: { ...base.pod, ...policy }, sandboxes: [sandbox, second] };
  const moment = endOf(subject, scene, [pod, open]);
  const { network } = sandbox;
  const isPins = (name: string) =>
    name === pinSetOf(network.tap, 'ipv4') || name === pinSetOf(network.tap, 'ipv6');
  const rules = withEverythingPinned(rulesetOf(moment, scene), isPins);
  for (const destination of ['8.8.8.8', '2001:4860:4860::8888']) {
    const family = destination.includes(':') ? 6 : 4;
    const bdd = new NumberSets(family === 4 ? 32 : 128);
    const packet = firstPacket(scene, { by: 0, protocol: 'tcp', destination, port: 443 });
    const frame = octetsOf({ ...packet, link: honestLink(scene, 0) });
    const through = letThrough(bdd, rules, topologyOf(scene), network.tap, frame);
    const decided = decidedSets(bdd, new DecisionReader(bdd).read(compileAddressPolicy(policy)));
    const pinnable = bdd.and(decided.pinned, bdd.not(decided.asIpv4));
    const reach = outOfReach(bdd, topologyOf(scene), uplink.name);
    const opened = bdd.lowest(bdd.and(through, bdd.not(pinnable)));
    const denied = bdd.lowest(bdd.and(bdd.and(pinnable, bdd.not(reach)), bdd.not(through)));
    total.addresses += 1;
    total.nodes += bdd.nodes;
    const value = opened ?? denied;
    if (value === null) continue;
    return [
      `policy     ${says}`,
      `address    ${addressText({ family, value })}`,
      opened === null
        ? 'pin        may be pinned, and the rules deny it'
        : 'rules      let it through, and it can never be pinned',
    ];
  }
  return null;
}

/** A verdict map names the tap or a chain of its own. */
function leadsTo({ nft }: Moment, tap: string): boolean {
  return contentOf(nft).some((line) => line.includes(' dispatch/') && line.includes(tap));
}

/**
 * p → q is a fresh q, and each event is one transaction; an end is two, and from the first of them on no map
 * leads to the sandbox, so that nothing of it is reached while its tap is taken away.
 */
function sameRules(subject: Subject, scene: Scene, total: Total): Trace | null {
  const after = endOf(subject, scene, [pod, open, pin, { kind: 'change', at: 0 }]);
  const fresh = endOf(subject, scene, [pod, { kind: 'open-next', at: 0 }, pin]);
  total.changes += 1;
  const [ours, theirs] = [contentOf(after.nft), contentOf(fresh.nft)];
  const extra = ours.find((line) => !theirs.includes(line)) ?? theirs.find((line) => !ours.includes(line));
  if (extra !== undefined)
    return [`scene      ${scene.index}`, 'change     differs from a fresh policy', extra.slice(0, 300)];
  const life = momentsOf(subject, scene, [pod, open, { kind: 'change', at: 0 }, { kind: 'close', at: 0 }]);
  const failed = life.find(({ error }) => error !== null);
  const isEnd = ({ says }: Moment) => says.startsWith('close ');
  const transactions = life.filter(
    (moment) => !isEnd(moment) && moment.says.endsWith('(transaction)'),
  ).length;
  const leads = life.find((moment) => isEnd(moment) && leadsTo(moment, scene.sandboxes[0].network.tap));
  if (failed === undefined && transactions === 3 && leads === undefined) return null;
  const what =
    failed?.error?.what ??
    (leads === undefined
      ? `${transactions} transactions for three events: a state in between`
      : `a map still leads to the sandbox (${leads.says})`);
  return [`scene      ${scene.index}`, `step       ${failed?.says ?? 'all of a life'}`, `kernel     ${what}`];
}

export const proof: Proof = {
  name: 'ruleset',
  statement:
    'Under the reference’s rules every packet keeps invariants 1 to 7 of F4; DNS pins and rules agree on every address; a changed policy equals a fresh one.',
  bounds: [
    `every Ethernet frame of up to two VLAN tags and every datagram of the pod, in any conntrack state, on tap, uplink, an unnamed interface and from the pod: ${chosen.length} pods with one sandbox, IPv6 of guests off and on`,
    `all 2^32 IPv4 and 2^128 IPv6 destinations under ${essentialPolicies.length} address policies, with every address pinned`,
    `${scenes.length} changes of policy`,
  ],
  assumptions: [
    'The evaluator is the kernel’s equal (held to it by random packets and rulesets), and its own assumptions on limits and malformed headers.',
    'No conntrack helper runs, so that what is related is an ICMP error; flows are translated only as these rules translate.',
    'A mark stands for the policy that admitted a flow: flows of two policies with the same 32 bits are taken for the same.',
    'Parts of IPv6 datagrams are not followed; of ARP nothing is said on interfaces without a sandbox.',
  ],
  mutants: mutantsNamed(
    [...ofFrames, ...mutants],
    [
      'ingress-any-mac',
      'ip-options-pass',
      'arp-any-sender',
      'solicitation-any-mac',
      'unnamed-interfaces-pass',
      'any-port-of-the-resolver',
      'default-is-allow',
      'never-forgotten',
      'private-forgotten',
      'established-without-mark',
      'reply-without-mark',
      'arrive-ends-with-accept',
      'loopback-unnamed',
      'isatap-forgotten',
      'u-octet-let-through',
      'embeddings-not-inside',
      'deny-cidrs-forgotten',
      'change-keeps-cidrs',
    ],
  ),
  async run({ scale, progress }): Promise<ProofResult> {
    const subject = await loadSubject('reference', ['ruleset']);
    const total: Total = { questions: 0, nodes: 0, addresses: 0, changes: 0 };
    const counts = (): Counts => ({
      'questions on every packet': total.questions,
      'address spaces compared': total.addresses,
      'changes of policy': total.changes,
      'BDD nodes': total.nodes,
    });
    const small = scale === 'small';
    const steps = [
      ...scenes.map((scene) => () => sameRules(subject, scene, total)),
      ...essentialPolicies.map((policy) => () => sameAddresses(subject, policy, total)),
      ...(small ? [chosen[0] as Scene, chosen[5] as Scene] : chosen).map(
        (scene) => () => everyPacket(subject, scene, total),
      ),
    ];
    for (const step of steps) {
      const trace = step();
      if (trace !== null) return { outcome: 'refuted', counts: counts(), trace };
      progress(counts());
    }
    return { outcome: 'proved', counts: counts() };
  },
};
