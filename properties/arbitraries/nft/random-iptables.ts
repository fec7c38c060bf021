/** Random input for iptables-restore (nf_tables backend): the xtables matches and targets that the oracle reads. */
import type { Dice } from './dice.ts';
import { gateway, guest, ipv4Prefixes, marks, ports, uplinkAddress } from './pools.ts';
import type { RulesetDevices } from './random-ruleset.ts';

const hex = (number: number) => `0x${number.toString(16)}`;

export function randomIptables(dice: Dice, devices: RulesetDevices): string {
  const tables = [filter(dice, devices)];
  if (dice.chance(50)) tables.push(mangle(dice, devices));
  if (dice.chance(50)) tables.push(nat(dice, devices));
  if (dice.chance(40)) tables.push(raw(dice, devices));
  return `${tables.join('\n')}\n`;
}

function table(name: string, chains: readonly string[], rules: readonly string[]): string {
  return [`*${name}`, ...chains, ...rules, 'COMMIT'].join('\n');
}

function lines(dice: Dice, chain: string, devices: RulesetDevices, targets: readonly string[]): string[] {
  return Array.from({ length: dice.between(1, 6) }, () => {
    const output = chain === 'FORWARD' || chain === 'POSTROUTING' || chain === 'OUTPUT';
    const input = chain !== 'POSTROUTING' && chain !== 'OUTPUT';
    return `-A ${chain} ${matches(dice, devices, input, output)} -j ${dice.pick(targets)}`;
  });
}

function matches(dice: Dice, { tap, uplink }: RulesetDevices, input: boolean, output: boolean): string {
  const not = () => (dice.chance(25) ? '! ' : '');
  const parts: string[] = [];
  const protocol = dice.pick(['tcp', 'tcp', 'udp', 'udp', 'icmp', null]);
  if (protocol !== null) parts.push(`-p ${protocol}`);
  if (input && dice.chance(20)) parts.push(`${not()}-i ${dice.pick([tap, uplink, 't+'])}`);
  if (output && dice.chance(20)) parts.push(`${not()}-o ${dice.pick([tap, uplink])}`);
  if (dice.chance(30)) parts.push(`${not()}-s ${dice.pick([guest, gateway, ...ipv4Prefixes])}`);
  if (dice.chance(30)) parts.push(`${not()}-d ${dice.pick([uplinkAddress, gateway, ...ipv4Prefixes])}`);
  if (protocol === 'icmp' && dice.chance(60))
    parts.push(`-m icmp ${not()}--icmp-type ${dice.pick(['8', '0', '3/1', '3'])}`);
  if (protocol === 'tcp' || protocol === 'udp') parts.push(transport(dice, protocol, not));
  for (let n = dice.pick([0, 0, 1, 1, 2]); n > 0; n -= 1) parts.push(extension(dice, not, input));
  return parts.filter((part) => part !== '').join(' ');
}

function transport(dice: Dice, protocol: 'tcp' | 'udp', not: () => string): string {
  const port = () => dice.pick(ports);
  const list = () => `${dice.pick([22, 53])},${dice.between(70, 80)}:${dice.between(81, 9_999)},65535`;
  return dice.pick<() => string>([
    () => '',
    () => `-m ${protocol} ${not()}--dport ${port()}`,
    () =>
      `-m ${protocol} ${not()}--dport ${dice.between(0, 100)}:${dice.between(101, 9_999)} ${not()}--sport 1024:`,
    () => `-m multiport ${not()}--dports ${list()}`,
    () => `-m multiport ${not()}--sports ${list()}`,
    () => `-m multiport ${not()}--ports ${list()}`,
    () =>
      protocol === 'tcp'
        ? `-m tcp ${not()}--tcp-flags SYN,ACK,FIN ${dice.pick(['SYN', 'ACK', 'SYN,ACK'])}`
        : '',
  ])();
}

function extension(dice: Dice, not: () => string, input: boolean): string {
  const states = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED', 'SNAT', 'DNAT'];
  return dice.pick<() => string>([
    () => `-m conntrack ${not()}--ctstate ${dice.some(states, dice.between(1, 3)).join()}`,
    () => `-m conntrack --ctstate ${dice.pick(states)} ${not()}--ctorigsrc ${dice.pick(ipv4Prefixes)}`,
    () => `-m conntrack ${not()}--ctorigdst 8.8.8.8`,
    () => `-m conntrack --ctdir ${dice.pick(['ORIGINAL', 'REPLY'])}`,
    () => `-m conntrack ${not()}--ctstatus ${dice.pick(['ASSURED', 'CONFIRMED', 'SEEN_REPLY', 'NONE'])}`,
    () => `-m conntrack ${not()}--ctproto 17 --ctorigdstport ${dice.pick([53, 80])}`,
    () => `-m state --state ${dice.pick(['NEW', 'ESTABLISHED', 'INVALID,RELATED', 'UNTRACKED'])}`,
    () => `-m addrtype ${not()}--dst-type ${dice.pick(['LOCAL', 'BROADCAST', 'MULTICAST', 'UNICAST'])}`,
    () => `-m addrtype ${not()}--src-type ${dice.pick(['LOCAL', 'UNICAST'])}`,
    () => (input ? '-m addrtype --dst-type LOCAL --limit-iface-in' : ''),
    () => `-m mark ${not()}--mark ${hex(dice.pick(marks))}/${hex(dice.pick([1, 0xff]))}`,
    () => '-m comment --comment "kept for the reader"',
    () => `-m pkttype ${not()}--pkt-type ${dice.pick(['unicast', 'broadcast', 'multicast'])}`,
    () => `-m iprange ${not()}--src-range 10.0.0.0-10.1.0.${dice.between(0, 255)}`,
    () => `-m iprange ${not()}--dst-range 8.0.0.0-93.184.216.34`,
  ])();
}

function filter(dice: Dice, devices: RulesetDevices): string {
  const policy = () => dice.pick(['ACCEPT', 'ACCEPT', 'DROP']);
  const targets = [
    'ACCEPT',
    'ACCEPT',
    'DROP',
    'own',
    'REJECT',
    'LOG',
    'REJECT --reject-with icmp-host-prohibited',
  ];
  const chains = ['INPUT', 'FORWARD', 'OUTPUT'].map((chain) => `:${chain} ${policy()} [0:0]`);
  return table(
    'filter',
    [...chains, ':own - [0:0]'],
    [
      ...lines(dice, 'INPUT', devices, targets),
      ...lines(dice, 'FORWARD', devices, targets),
      ...lines(dice, 'own', devices, ['RETURN', 'ACCEPT', 'DROP']).filter(
        (line) => !/ -[io] |limit-iface/.test(line),
      ),
    ],
  );
}

function mangle(dice: Dice, devices: RulesetDevices): string {
  const targets = [
    `MARK --set-xmark ${hex(dice.pick(marks))}/0xffffffff`,
    `MARK --or-mark ${hex(dice.pick(marks))}`,
    'MARK --and-mark 0xf0',
    'ACCEPT',
    'DROP',
  ];
  const chains = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'].map(
    (chain) => `:${chain} ACCEPT [0:0]`,
  );
  return table('mangle', chains, [
    ...lines(dice, 'PREROUTING', devices, targets),
    ...lines(dice, 'POSTROUTING', devices, targets),
  ]);
}

function nat(dice: Dice, devices: RulesetDevices): string {
  const chains = ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'].map((chain) => `:${chain} ACCEPT [0:0]`);
  return table('nat', chains, [
    `-A PREROUTING -p tcp --dport ${dice.pick(ports.slice(0, 8))} -j DNAT --to-destination ${dice.pick(['8.8.8.8', `${gateway}:8080`])}`,
    `-A PREROUTING -p udp -m multiport --dports 53,80 -j ${dice.pick(['REDIRECT --to-ports 9999', 'DNAT --to-destination 192.168.7.7', 'ACCEPT'])}`,
    `-A POSTROUTING -o ${devices.uplink} ${dice.pick(['', '-s 10.0.0.0/8 '])}-j ${dice.pick(['MASQUERADE', 'SNAT --to-source 172.20.0.11', 'ACCEPT'])}`,
  ]);
}

function raw(dice: Dice, devices: RulesetDevices): string {
  const chains = [':PREROUTING ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]'];
  const rules = lines(dice, 'PREROUTING', devices, ['CT --notrack', 'DROP', 'ACCEPT']);
  return table(
    'raw',
    chains,
    rules.filter((line) => !/ct(state|orig|dir|status|proto)|-m state/.test(line)),
  );
}
