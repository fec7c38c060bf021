/** The CNI plugins bridge, portmap and firewall, chained as a container runtime chains them. */
import { guestMac, type RulesetTool, run, world } from '../ruleset-tool.ts';

const folder = '/usr/lib/cni';
const guest = '10.89.0.2';

const environment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'guest',
  CNI_NETNS: '/run/netns/guest',
  CNI_IFNAME: 'eth0',
  CNI_PATH: folder,
};

const network = { cniVersion: '0.4.0', name: 'guests' } as const;
const chain = [
  {
    type: 'bridge',
    bridge: 'cni0',
    isGateway: true,
    ipMasq: true,
    runtimeConfig: { mac: guestMac },
    ipam: {
      type: 'host-local',
      dataDir: '/run/cni',
      ranges: [[{ subnet: '10.89.0.0/24', rangeStart: guest }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  },
  {
    type: 'portmap',
    runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
  },
  { type: 'firewall', backend: 'iptables' },
] as const;

export const tool: RulesetTool = {
  name: 'cni-plugins',
  debianPackage: 'containernetworking-plugins',
  programs: { '/usr/lib/cni/bridge': 'containernetworking-plugins', iptables: 'iptables' },
  made: 'CNI ADD of bridge (cni0, ipMasq), portmap (tcp 8080 to 80) and firewall (iptables)',
  place: {
    tap: 'cni0',
    guest,
    guestMac,
    resolver: '10.89.0.1',
    uplink: world.uplink,
    allow: ['any'],
    inbound: ['tcp:80'],
  },
  writes: [],
  install: () => {
    run('ip', ['netns', 'add', 'guest']);
    let result: unknown;
    for (const plugin of chain) {
      const before = result === undefined ? {} : { prevResult: result };
      const input = JSON.stringify({ ...network, ...plugin, ...before });
      result = JSON.parse(run(`${folder}/${plugin.type}`, [], { input, env: environment }));
    }
  },
};
