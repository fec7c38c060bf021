/** libvirt's default NAT network, started by virsh; a tap is plugged into virbr0 as QEMU's would be. */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { addTap, eventually, guestMac, type RulesetTool, run, succeeds, world } from '../ruleset-tool.ts';

const connection = ['-c', 'network:///system'];
const startWithinMs = 15_000;
/** Made by a package that a machine without systemd does not want; the daemon asks for the name. */
const user = 'libvirt-qemu';

export const tool: RulesetTool = {
  name: 'libvirt',
  debianPackage: 'libvirt-daemon',
  programs: { libvirtd: 'libvirt-daemon', virsh: 'libvirt-clients', dnsmasq: 'dnsmasq-base' },
  made: 'virsh net-start default (NAT, 192.168.122.0/24); a tap vnet0 in virbr0',
  place: {
    tap: 'vnet0',
    guest: '192.168.122.2',
    guestMac,
    resolver: '192.168.122.1',
    uplink: world.uplink,
    allow: ['any'],
    inbound: [],
  },
  writes: ['/var/lib', '/var/cache', '/var/log', '/etc/libvirt', '/etc/passwd', '/etc/group'],
  install: async () => {
    appendFileSync('/etc/passwd', `${user}:x:64055:64055::/nonexistent:/usr/sbin/nologin\n`);
    appendFileSync('/etc/group', `${user}:x:64055:\n`);
    mkdirSync('/run/libvirt', { recursive: true });
    const configuration = '/run/libvirtd.conf';
    writeFileSync(
      configuration,
      'unix_sock_group = "root"\nunix_sock_rw_perms = "0700"\nauth_unix_ro = "none"\nauth_unix_rw = "none"\n',
    );
    spawn('libvirtd', ['-f', configuration], { stdio: 'ignore' });
    const answers = () => succeeds('virsh', [...connection, 'net-info', 'default']);
    await eventually('libvirtd answers', startWithinMs, answers);
    run('virsh', [...connection, 'net-start', 'default']);
    addTap('vnet0', ['link set vnet0 master virbr0']);
  },
};
