/** netavark, podman's network program: a bridge network with one published port. */
import { mkdirSync } from 'node:fs';
import { guestMac, type RulesetTool, run, world } from '../ruleset-tool.ts';

const guest = '10.88.0.2';

const setUp = {
  container_id: '0123456789abcdef',
  container_name: 'guest',
  networks: { podman: { static_ips: [guest], static_mac: guestMac, interface_name: 'eth0' } },
  port_mappings: [{ host_ip: '', container_port: 80, host_port: 8080, range: 1, protocol: 'tcp' }],
  network_info: {
    podman: {
      name: 'podman',
      id: '2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9',
      driver: 'bridge',
      network_interface: 'podman0',
      created: '2026-01-01T00:00:00Z',
      subnets: [{ subnet: '10.88.0.0/16', gateway: '10.88.0.1' }],
      ipv6_enabled: false,
      internal: false,
      dns_enabled: false,
      ipam_options: { driver: 'host-local' },
    },
  },
};

export const tool: RulesetTool = {
  name: 'netavark',
  debianPackage: 'netavark',
  programs: { '/usr/lib/podman/netavark': 'netavark', iptables: 'iptables' },
  made: 'netavark setup: bridge podman0, 10.88.0.0/16, tcp 8080 published to port 80 of 10.88.0.2',
  place: {
    tap: 'podman0',
    guest,
    guestMac,
    resolver: '10.88.0.1',
    uplink: world.uplink,
    allow: ['any'],
    inbound: ['tcp:80'],
  },
  writes: [],
  install: () => {
    mkdirSync('/run/containers', { recursive: true });
    run('ip', ['netns', 'add', 'guest']);
    run('/usr/lib/podman/netavark', ['--config', '/run/containers', 'setup', '/run/netns/guest'], {
      input: JSON.stringify(setUp),
    });
  },
};
