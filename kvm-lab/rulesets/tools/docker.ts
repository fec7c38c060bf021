/** What the Docker engine installs when it starts; a tap is plugged into docker0 as a container's veth would be. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { addTap, eventually, guestMac, type RulesetTool, succeeds, world } from '../ruleset-tool.ts';

const startWithinMs = 40_000;
const folder = '/run/engine';
const socket = `unix://${folder}/socket`;

export const tool: RulesetTool = {
  name: 'docker',
  debianPackage: 'docker.io',
  programs: { dockerd: 'docker.io', docker: 'docker.io', iptables: 'iptables' },
  made: 'dockerd, started (bridge docker0, 172.17.0.0/16); a tap vnet0 in docker0',
  place: {
    tap: 'vnet0',
    guest: '172.17.0.2',
    guestMac,
    resolver: 'none',
    uplink: world.uplink,
    allow: ['any'],
    inbound: [],
  },
  writes: ['/etc/docker', '/var/log'],
  install: async () => {
    mkdirSync(folder, { recursive: true });
    const words = [
      ...['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`, '--pidfile', `${folder}/pid`],
      ...['--host', socket],
    ];
    spawn('dockerd', words, { stdio: 'ignore' });
    await eventually('dockerd answers', startWithinMs, () => succeeds('docker', ['-H', socket, 'version']));
    addTap('vnet0', ['link set vnet0 master docker0']);
  },
};
