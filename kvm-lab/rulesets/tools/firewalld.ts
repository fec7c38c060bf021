/** firewalld with its native nft backend: a tap in a zone of its own kind, an uplink that masquerades. */
import { spawn } from 'node:child_process';
import { addTap, eventually, guestMac, type RulesetTool, run, succeeds, world } from '../ruleset-tool.ts';

const startWithinMs = 20_000;
const settings = [
  ['--zone=public', `--add-interface=${world.uplink}`],
  ['--zone=public', '--add-masquerade'],
  ['--zone=dmz', '--add-interface=tap0'],
  ['--zone=dmz', '--remove-service-from-zone=ssh'],
  ['--zone=dmz', '--add-service=dns'],
  ['--new-policy=guests-out'],
  ['--policy=guests-out', '--add-ingress-zone=dmz'],
  ['--policy=guests-out', '--add-egress-zone=public'],
  ['--policy=guests-out', '--set-target=ACCEPT'],
] as const;

export const tool: RulesetTool = {
  name: 'firewalld',
  debianPackage: 'firewalld',
  programs: { firewalld: 'firewalld', 'firewall-offline-cmd': 'firewalld', 'dbus-daemon': 'dbus' },
  made: 'zone dmz (dns only) on tap0, zone public with masquerade on eth0, policy dmz to public ACCEPT',
  place: {
    tap: 'tap0',
    guest: '10.200.0.2',
    guestMac,
    resolver: '10.200.0.1',
    uplink: world.uplink,
    allow: ['any'],
    inbound: [],
  },
  writes: ['/etc/firewalld', '/var/log'],
  install: async () => {
    addTap('tap0', ['addr add 10.200.0.1/30 brd + dev tap0']);
    run('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
    for (const words of settings) run('firewall-offline-cmd', words);
    run('dbus-daemon', ['--system', '--fork']);
    spawn('firewalld', ['--nofork', '--nopid'], { stdio: 'ignore' });
    await eventually('firewalld runs', startWithinMs, () => succeeds('firewall-cmd', ['--state']));
  },
};
