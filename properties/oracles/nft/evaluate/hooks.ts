/** Which base chains see a packet at a hook, and which parts of the kernel the ruleset switches on. */
import type { BaseChain, Chain, Expression, Family, Ruleset, Table } from '../ruleset.ts';
import type { Packet } from './packet.ts';
import type { HookContext } from './rule-run.ts';

export interface HookedChain {
  readonly table: Table;
  readonly chain: Chain;
  readonly base: BaseChain;
}

type PacketFamily = Packet['family'];

function sees(family: Family, packet: PacketFamily): boolean {
  if (packet === 4) return family === 'ip' || family === 'inet';
  if (packet === 6) return family === 'ip6' || family === 'inet';
  return packet === 'arp' && family === 'arp';
}

/** In the order in which they run: of equal priority the last one made comes first. */
export function chainsAt(ruleset: Ruleset, hook: HookContext, packet: PacketFamily): HookedChain[] {
  const atDevice = hook.point === 'ingress' || hook.point === 'egress';
  const device = hook.point === 'egress' ? hook.output : hook.input;
  const found: HookedChain[] = [];
  for (const table of ruleset.tables) {
    if (table.dormant) continue;
    const looks = atDevice
      ? table.family === 'netdev' || table.family === 'inet'
      : sees(table.family, packet);
    if (!looks) continue;
    for (const chain of table.chains.values()) {
      const { base } = chain;
      if (base === null || base.hook !== hook.point) continue;
      if (atDevice && (device === null || !base.devices.includes(device.name))) continue;
      found.push({ table, chain, base });
    }
  }
  return found.reverse().sort((a, b) => a.base.priority - b.base.priority);
}

const trackingMatches = ['conntrack', 'state', 'connmark', 'connbytes', 'connlimit', 'helper', 'connlabel'];
const trackingTargets = ['MASQUERADE', 'DNAT', 'SNAT', 'REDIRECT', 'NETMAP', 'CONNMARK'];
/** xt_ct_target_info: what only leaves packets untracked asks for no tracking (xt_CT.c, xt_ct_tg_check). */
const leavesUntracked = 1;

/** A NAT rule for one family, even in an inet table, switches on that family's tracking only. */
function needsConntrack(expression: Expression, family: 4 | 6): boolean {
  switch (expression.kind) {
    case 'ct':
    case 'ct-set':
    case 'masquerade':
    case 'redirect':
      return true;
    case 'nat':
      return expression.family === null || expression.family === family;
    case 'either':
    case 'effect':
    case 'unknown':
      return ['connlimit', 'synproxy', 'ct helper', 'ct timeout', 'ct expectation'].includes(expression.name);
    case 'match':
      return trackingMatches.includes(expression.name);
    case 'target':
      if (expression.name === 'CT') return ((expression.info[0] ?? 0) & leavesUntracked) === 0;
      return trackingTargets.includes(expression.name);
    default:
      return false;
  }
}

interface Active {
  readonly conntrack: ReadonlySet<PacketFamily>;
  readonly nat: ReadonlySet<PacketFamily>;
}

const active = new WeakMap<Ruleset, Active>();

function activeIn(ruleset: Ruleset): Active {
  const before = active.get(ruleset);
  if (before !== undefined) return before;
  const conntrack = new Set<PacketFamily>();
  const nat = new Set<PacketFamily>();
  for (const table of ruleset.tables) {
    const families = ([4, 6] as const).filter((family) => sees(table.family, family));
    const chains = [...table.chains.values()];
    for (const family of families) {
      const needs = (expression: Expression) => needsConntrack(expression, family);
      if (chains.some(({ rules }) => rules.some(({ expressions }) => expressions.some(needs)))) {
        conntrack.add(family);
      }
    }
    if (!table.dormant && chains.some(({ base }) => base?.type === 'nat')) {
      for (const family of families) nat.add(family);
    }
  }
  const made = { conntrack, nat };
  active.set(ruleset, made);
  return made;
}

/** The kernel tracks connections of a family once a rule that needs them is there. */
export function conntrackActive(ruleset: Ruleset, family: PacketFamily): boolean {
  return activeIn(ruleset).conntrack.has(family);
}

export function natHooksActive(ruleset: Ruleset, family: PacketFamily): boolean {
  return activeIn(ruleset).nat.has(family);
}
