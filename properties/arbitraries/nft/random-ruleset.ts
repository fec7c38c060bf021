/** Random rulesets, as text for `nft -f`, of everything that the oracle says it understands. */
import type { Dice } from './dice.ts';
import { gateway, guest, ipv4Prefixes, marks, ports, uplinkAddress } from './pools.ts';
import { randomMatch, type Scope } from './random-match.ts';

interface HookChoice {
  readonly hook: string;
  readonly scope: Omit<Scope, 'sets'>;
}

/** Names of the devices that the packets come in and leave by. */
export interface RulesetDevices {
  readonly tap: string;
  readonly uplink: string;
}

export function randomRuleset(dice: Dice, devices: RulesetDevices): string {
  const tracks = dice.chance(70);
  const tables: string[] = [];
  if (dice.chance(75)) tables.push(netdevTable(dice, devices));
  tables.push(filterTable(dice, 'inet', 'f', devices, tracks));
  if (dice.chance(35)) tables.push(filterTable(dice, 'ip', 'g', devices, tracks));
  if (dice.chance(25)) tables.push(filterTable(dice, 'ip6', 'h', devices, tracks));
  if (dice.chance(15)) tables.push(arpTable(dice));
  if (tracks && dice.chance(50)) tables.push(natTable(dice, devices));
  return tables.join('\n');
}

const sets4 = (name: string, dice: Dice) =>
  `set ${name} { type ipv4_addr; flags interval; elements = { ${dice.some(ipv4Prefixes.slice(1, 7), 3).join(', ')} }\n}`;

function sets(dice: Dice, name: string): string {
  const list = dice.some(ports, dice.between(2, 6)).join(', ');
  const pairs = dice
    .some(['8.8.8.8', gateway, guest, uplinkAddress], 3)
    .map((address) => `${address} . ${dice.pick(['tcp', 'udp'])} . ${dice.pick(ports)}`);
  const ranges = `${dice.pick(ipv4Prefixes)} . 80-${dice.between(80, 9999)}`;
  return [
    sets4(`${name}_a`, dice),
    `set ${name}_p { type inet_service; elements = { ${list} }\n}`,
    `set ${name}_c { type ipv4_addr . inet_proto . inet_service; elements = { ${pairs.join(', ')} }\n}`,
    `set ${name}_r { type ipv4_addr . inet_service; flags interval; elements = { ${ranges} }\n}`,
    `set ${name}_t { type ipv4_addr; flags timeout; elements = { 8.8.8.8 timeout 1h, ${guest} timeout 2h }\n}`,
    `map ${name}_m { type inet_service : mark; elements = { 53 : 5, 80 : ${dice.pick(marks)}, 443 : 1 }\n}`,
  ].join('\n');
}

function verdict(dice: Dice, jumps: readonly string[], terminal: readonly string[]): string {
  return dice.weighed<string>([
    [40, () => dice.pick(terminal)],
    [jumps.length === 0 ? 0 : 25, () => `${dice.pick(['jump', 'jump', 'goto'])} ${dice.pick(jumps)}`],
    [12, () => `meta mark set ${dice.pick(marks)}`],
    [8, () => 'counter'],
    [5, () => 'continue'],
    [8, () => `meta mark set meta mark or 0x${dice.pick(marks).toString(16)}`],
    [5, () => 'log prefix "x"'],
  ]);
}

function rules(
  dice: Dice,
  count: number,
  scope: Scope,
  jumps: readonly string[],
  terminal: readonly string[],
): string {
  const lines: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const tests: string[] = [];
    for (let n = dice.pick([0, 1, 1, 1, 2, 2, 3]); n > 0; n -= 1) tests.push(randomMatch(dice, scope));
    const map = dice.chance(8) ? verdictMap(dice, scope, jumps) : null;
    const counter = dice.chance(20) ? ' counter' : '';
    lines.push(`  ${tests.join(' ')}${counter} ${map ?? verdict(dice, jumps, terminal)}`);
  }
  return lines.join('\n');
}

function verdictMap(dice: Dice, scope: Scope, jumps: readonly string[]): string {
  const target = () =>
    jumps.length > 0 && dice.chance(40)
      ? `jump ${dice.pick(jumps)}`
      : dice.pick(['accept', 'drop', 'continue']);
  const devices =
    scope.point === 'ingress'
      ? []
      : [`iifname vmap { "${scope.devices.tap}" : ${target()}, "${scope.devices.uplink}" : ${target()} }`];
  const tracked = scope.tracks
    ? [`ct state vmap { established : ${target()}, related : ${target()}, invalid : ${target()} }`]
    : [];
  return dice.pick([
    `meta l4proto vmap { tcp : ${target()}, udp : ${target()}, * : ${target()} }`,
    `tcp dport vmap { 22 : ${target()}, 80-443 : ${target()} }`,
    ...(scope.family === 'ip6'
      ? []
      : [`ip saddr . udp dport vmap { ${guest} . 53 : ${target()}, ${gateway} . 53 : ${target()} }`]),
    ...devices,
    ...tracked,
  ]);
}

function regularChains(dice: Dice, scope: Scope, terminal: readonly string[], name: string) {
  const names: string[] = [];
  const text: string[] = [];
  for (let i = 0; i < dice.between(0, 3); i += 1) {
    const chain = `${name}${i}`;
    text.push(
      `chain ${chain} {\n${rules(dice, dice.between(0, 4), scope, names, [...terminal, 'return'])}\n}`,
    );
    names.push(chain);
  }
  return { names, text: text.join('\n') };
}

function filterTable(
  dice: Dice,
  family: 'inet' | 'ip' | 'ip6',
  name: string,
  devices: RulesetDevices,
  tracks: boolean,
): string {
  const hooks: HookChoice[] = (['prerouting', 'input', 'forward', 'output', 'postrouting'] as const)
    .filter((hook) => dice.chance(hook === 'input' || hook === 'forward' ? 85 : 45))
    .map((hook) => ({ hook, scope: { family, point: hook, devices, tracks } }));
  const parts: string[] = [`table ${family} ${name} {`, sets(dice, name)];
  const any: Scope = { family, point: 'any', devices, tracks, sets: name };
  const shared = regularChains(dice, any, ['accept', 'drop'], `${name}r`);
  parts.push(shared.text);
  for (const { hook, scope } of hooks) {
    const priority = dice.pick(hook === 'prerouting' ? [-350, -300, -150, -50, 0] : [-10, 0, 0, 10]);
    const policy = dice.chance(65) ? 'accept' : 'drop';
    const terminal = [
      'accept',
      'accept',
      'drop',
      ...(hook === 'postrouting' ? [] : rejects(family, hook, priority)),
    ];
    const own: Scope = { ...scope, sets: name };
    parts.push(
      `chain ${name}_${hook} {\n type filter hook ${hook} priority ${priority}; policy ${policy};\n${rules(
        dice,
        dice.between(1, 8),
        own,
        shared.names,
        tracks && (hook === 'prerouting' || hook === 'output') && priority <= -300
          ? [...terminal, 'notrack']
          : terminal,
      )}\n}`,
    );
  }
  parts.push('}');
  return parts.join('\n');
}

function rejects(family: string, hook: string, priority: number): string[] {
  if (hook === 'prerouting' && priority <= -200) return [];
  return [family === 'inet' ? 'reject with icmpx port-unreachable' : 'reject'];
}

function netdevTable(dice: Dice, devices: RulesetDevices): string {
  const scope: Scope = { family: 'netdev', point: 'ingress', devices, tracks: false, sets: 'n' };
  const shared = regularChains(dice, scope, ['accept', 'drop'], 'nr');
  const policy = dice.chance(70) ? 'accept' : 'drop';
  const body = rules(dice, dice.between(1, 7), scope, shared.names, ['accept', 'accept', 'drop']);
  return [
    'table netdev n {',
    sets(dice, 'n'),
    shared.text,
    `chain in {\n type filter hook ingress device ${devices.tap} priority ${dice.pick([0, 10])}; policy ${policy};\n${body}\n}`,
    '}',
  ].join('\n');
}

function arpTable(dice: Dice): string {
  return `table arp a {\nchain in {\n type filter hook input priority 0; policy accept;\n arp operation ${dice.pick(
    ['request', 'reply'],
  )} counter\n arp saddr ip ${guest} accept\n arp saddr ether 02:00:00:00:00:99 drop\n}\n}`;
}

/** Address translation without choices of the kernel's own: one address, one port, or the port it came with. */
function natTable(dice: Dice, devices: RulesetDevices): string {
  const family = dice.pick(['ip', 'inet'] as const);
  const before = family === 'inet' ? 'meta nfproto ipv4 ' : '';
  const scope: Scope = { family, point: 'nat', devices, tracks: true, sets: 'x' };
  const destination = () =>
    dice.pick([
      `${before}ip protocol { tcp, udp } dnat ${family === 'inet' ? 'ip ' : ''}to ${dice.pick(['8.8.8.8', '192.168.7.7', gateway])}`,
      `meta l4proto tcp dnat ${family === 'inet' ? 'ip ' : ''}to ${dice.pick(['8.8.8.8', uplinkAddress])}:${dice.pick([80, 8080])}`,
      'meta l4proto { tcp, udp } redirect to :9999',
      'accept',
    ]);
  const source = () =>
    dice.pick([
      `${before}oifname "${devices.uplink}" masquerade`,
      `${before}ip saddr 10.0.0.0/8 snat ${family === 'inet' ? 'ip ' : ''}to 172.20.0.${dice.between(10, 12)}`,
      'accept',
    ]);
  const list = (make: () => string) =>
    Array.from(
      { length: dice.between(1, 3) },
      () => `  ${dice.chance(60) ? randomMatch(dice, scope) : ''} ${make()}`,
    ).join('\n');
  return [
    `table ${family} x {`,
    sets(dice, 'x'),
    `chain pre {\n type nat hook prerouting priority ${dice.pick([-100, -90])};\n${list(destination)}\n}`,
    `chain post {\n type nat hook postrouting priority 100;\n${list(source)}\n}`,
    '}',
  ].join('\n');
}
