/**
 * A pod whose datapath a subject runs: its nf_tables, which taps are up, and which policies stand, after each
 * step of each event. Every moment is a state that packets meet.
 */
import type { RulesetEvent, SandboxPolicy, Scene, SceneSandbox } from '../arbitraries/sandbox-scenes.ts';
import { unnamed, uplink } from '../arbitraries/sandbox-scenes.ts';
import { readJson } from '../oracles/nft/json/read-json.ts';
import type { Ruleset } from '../oracles/nft/ruleset.ts';
import { deviceNamed, type Topology } from '../oracles/nft/topology.ts';
import type { Subject } from '../subjects/subject.ts';
import { listingOf } from './nft-listing.ts';
import {
  applyTransaction,
  emptyState,
  type Json,
  type NftError,
  type NftState,
  withoutDevice,
} from './nft-state.ts';

export interface Standing {
  readonly sandbox: SceneSandbox;
  /** More than one while a change is under way. */
  readonly policies: readonly SandboxPolicy[];
  readonly pinned: boolean;
}

export interface Moment {
  /** What led here: the event, and which of its steps are done. */
  readonly says: string;
  readonly nft: NftState;
  /** Taps whose guest can send. */
  readonly up: ReadonlySet<string>;
  readonly standing: ReadonlyMap<string, Standing>;
  /** The kernel refused the step. */
  readonly error: NftError | null;
  /** The event is over. */
  readonly settled: boolean;
}

/** `open-next`: with the policy that `change` leads to. */
type EventKind = 'open' | 'open-next' | 'change' | 'back' | 'pin' | 'close';

export type LifeEvent = { readonly kind: EventKind; readonly at: 0 | 1 } | { readonly kind: 'open-pod' };

export const start: Moment = {
  says: 'nothing stands',
  nft: emptyState,
  up: new Set(),
  standing: new Map(),
  error: null,
  settled: true,
};

/** Whether kernels keep an ingress chain whose device went: since Linux 6.16 they do. */
const chainsStay = true;

const octets = (mac: string) => mac.split(':').map((octet) => Number.parseInt(octet, 16));

const topologies = new WeakMap<Scene, Topology>();

/** As a datapath sets it up, whichever rules it has; link-local addresses included. */
export function topologyOf(scene: Scene): Topology {
  const known = topologies.get(scene);
  if (known !== undefined) return known;
  const taps = scene.sandboxes.map(({ network: { tap, tapMac, ipv4, ipv6 } }, at) => ({
    name: tap,
    index: 3 + at,
    hardware: 1,
    mac: octets(tapMac),
    addresses: [
      `${ipv4.gateway}/30`,
      ...(ipv4.resolver === ipv4.gateway ? [] : [`${ipv4.resolver}/32`]),
      ...(ipv6 === null ? [] : [`${ipv6.gateway}/64`]),
      `fe80::${at + 1}/64`,
    ],
  }));
  const made: Topology = {
    devices: [
      { name: 'lo', index: 1, hardware: 772, mac: [0, 0, 0, 0, 0, 0], addresses: ['127.0.0.1/8', '::1/128'] },
      {
        name: uplink.name,
        index: 2,
        hardware: 1,
        mac: uplink.mac,
        addresses: [`${uplink.ipv4}/24`, `${uplink.ipv6}/64`, 'fe80::10/64'],
      },
      ...taps,
      {
        name: unnamed.name,
        index: 9,
        hardware: 1,
        mac: unnamed.mac,
        addresses: [`${unnamed.ipv4}/24`, 'fe80::20/64'],
      },
    ],
    routes: [
      { prefix: '0.0.0.0/0', device: uplink.name },
      { prefix: '::/0', device: uplink.name },
    ],
    forwarding: { ipv4: true, ipv6: scene.ipv6 },
    ipv6Disabled: [],
  };
  topologies.set(scene, made);
  return made;
}

const rulesets = new WeakMap<NftState, Ruleset>();
/** Subjects and their mutants often come to the same rules. */
const byText = new Map<string, Ruleset>();
const mostTexts = 256;

/** What the evaluator reads of the moment. */
export function rulesetOf({ nft }: Moment, scene: Scene): Ruleset {
  const known = rulesets.get(nft);
  if (known !== undefined) return known;
  const indexOf = (name: string) => deviceNamed(topologyOf(scene), name).index;
  // Handles and indexes are the same for the same text and scene: devices are numbered alike in all.
  const text = listingOf(nft);
  const made = byText.get(text) ?? readJson(text, { ingressDevices: [], indexOf });
  if (byText.size >= mostTexts) byText.clear();
  byText.set(text, made);
  rulesets.set(nft, made);
  return made;
}

/** The event in the words of the decision, as the datapath of a moment would be told. */
function told(scene: Scene, event: LifeEvent, { standing }: Moment): RulesetEvent {
  if (event.kind === 'open-pod') return { kind: 'open-pod' };
  const { network, policy, next, pins } = scene.sandboxes[event.at];
  const before = standing.get(network.tap)?.policies[0] ?? policy;
  switch (event.kind) {
    case 'open':
      return { kind: 'open-sandbox', network, policy };
    case 'open-next':
      return { kind: 'open-sandbox', network, policy: next };
    case 'change':
      return { kind: 'change-policy', network, before, after: next };
    case 'back':
      return { kind: 'change-policy', network, before, after: policy };
    case 'pin':
      return { kind: 'pin', network, pins: [...pins] };
    case 'close':
      return { kind: 'close-sandbox', network, policy: before };
  }
}

export function textOfEvent(event: LifeEvent): string {
  if (event.kind === 'open-pod') return 'open the pod';
  const words = {
    open: 'open',
    'open-next': 'open with the next policy',
    change: 'change the policy of',
    back: 'restore the policy of',
    pin: 'pin for',
    close: 'close',
  };
  return `${words[event.kind]} tap${event.at}`;
}

/** The moments that the event goes through, the last one settled. */
export function happen(subject: Subject, scene: Scene, before: Moment, event: LifeEvent): Moment[] {
  const asked = told(scene, event, before);
  const { steps, rule } = subject.decide('ruleset', scene.pod)({ event: asked });
  const moments: Moment[] = [];
  const devices = new Set(topologyOf(scene).devices.map(({ name }) => name));
  let { nft, up } = before;
  for (const [at, step] of steps.entries()) {
    let error: NftError | null = null;
    if (step.kind === 'transaction') {
      ({ state: nft, error } = applyTransaction(nft, step.nftables as readonly Json[], { devices }));
    } else if (asked.kind === 'open-sandbox' || asked.kind === 'close-sandbox') {
      const { tap } = asked.network;
      const others = [...up].filter((name) => name !== tap);
      up = new Set(step.kind === 'tap-up' ? [...others, tap] : others);
      if (step.kind === 'tap-gone') nft = withoutDevice(nft, tap, chainsStay);
    }
    const settled = at === steps.length - 1;
    const standing = standingAfter(before, scene, event, settled);
    const says = `${textOfEvent(event)}, step ${at + 1} of ${steps.length} (${step.kind})`;
    moments.push({ says, nft, up, standing, error, settled });
  }
  if (steps.length > 0) return moments;
  return [{ ...before, says: `${textOfEvent(event)}: ${rule}` }];
}

function standingAfter({ standing }: Moment, scene: Scene, event: LifeEvent, settled: boolean) {
  if (event.kind === 'open-pod') return standing;
  const sandbox = scene.sandboxes[event.at];
  const { tap } = sandbox.network;
  const after = new Map(standing);
  const was = standing.get(tap);
  const policies = was?.policies ?? [];
  const pinned = was?.pinned ?? false;
  if (event.kind === 'open' || event.kind === 'open-next') {
    const policy = event.kind === 'open' ? sandbox.policy : sandbox.next;
    after.set(tap, { sandbox, policies: [policy], pinned: false });
  }
  if (event.kind === 'close') after.delete(tap);
  if (event.kind === 'pin') after.set(tap, { sandbox, policies, pinned: true });
  if (event.kind === 'change' || event.kind === 'back') {
    const wanted = event.kind === 'change' ? sandbox.next : sandbox.policy;
    after.set(tap, { sandbox, policies: settled ? [wanted] : [wanted, ...policies], pinned });
  }
  return after;
}
