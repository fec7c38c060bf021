/** ufw: deny by default, guests may resolve names and go out; NAT as ufw-framework(8) shows it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { addTap, guestMac, type RulesetTool, run, world } from '../ruleset-tool.ts';

const nat = `*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.200.0.0/30 -o ${world.uplink} -j MASQUERADE
COMMIT
`;

const settings = [
  ['default', 'deny', 'incoming'],
  ['default', 'deny', 'routed'],
  ['allow', 'in', 'on', 'tap0', 'to', '10.200.0.1', 'port', '53'],
  ['route', 'allow', 'in', 'on', 'tap0', 'out', 'on', world.uplink],
  ['--force', 'enable'],
] as const;

export const tool: RulesetTool = {
  name: 'ufw',
  debianPackage: 'ufw',
  programs: { ufw: 'ufw', iptables: 'iptables' },
  made: 'default deny; allow in on tap0 to 10.200.0.1 port 53; route allow tap0 to eth0; masquerade',
  place: {
    tap: 'tap0',
    guest: '10.200.0.2',
    guestMac,
    resolver: '10.200.0.1',
    uplink: world.uplink,
    allow: ['any'],
    inbound: [],
  },
  writes: ['/etc/ufw', '/etc/default', '/var/log'],
  install: () => {
    addTap('tap0', ['addr add 10.200.0.1/30 brd + dev tap0']);
    run('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
    const rules = '/etc/ufw/before.rules';
    writeFileSync(rules, `${nat}${readFileSync(rules, 'utf8')}`);
    for (const words of settings) run('ufw', words);
  },
};
