/** Who is measured: ours in its forms, and the forwarders that it is measured against, each as a command line. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loopback, stubPort, tables } from './ground.ts';

export interface Forwarder {
  readonly id: string;
  readonly title: string;
  readonly port: number;
  readonly command: readonly string[];
  /** The command that adds it, where it is not there. */
  readonly remedy: string;
}

const script = (name: string) => fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
const node = (name: string, ...parameters: (string | number)[]) => [
  process.execPath,
  script(name),
  ...parameters.map(String),
];

function ours(id: string, title: string, port: number, name: string, ...parameters: string[]): Forwarder {
  const command = node(name, port, stubPort, ...parameters);
  return { id, title, port, command, remedy: 'it is part of this repository' };
}

function dnsmasq(id: string, title: string, port: number, ...more: string[]): Forwarder {
  const listening = [`--port=${port}`, `--listen-address=${loopback}`, '--bind-interfaces'];
  const plain = ['-k', '-C', '/dev/null', '--no-resolv', '--no-hosts', '--user=root', '--pid-file='];
  const forwarding = [`--server=${loopback}#${stubPort}`, '--cache-size=0', '--dns-forward-max=10000'];
  const command = ['dnsmasq', ...plain, ...listening, ...forwarding, ...more];
  return { id, title, port, command, remedy: 'apt-get install -y dnsmasq-base' };
}

function unbound(configuration: string): Forwarder {
  const command = ['unbound', '-d', '-c', configuration];
  return {
    id: 'unbound',
    title: '  unbound, no cache',
    port: 5_306,
    command,
    remedy: 'apt-get install -y unbound',
  };
}

/** unbound without a cache, with room for all that is under way, forwarding everything. */
export const unboundConfiguration = `
server:
  interface: ${loopback}@5306
  username: ""
  chroot: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  verbosity: 0
  num-threads: 1
  module-config: "iterator"
  msg-cache-size: 0
  rrset-cache-size: 0
  cache-max-ttl: 0
  key-cache-size: 0
  outgoing-range: 4096
  num-queries-per-thread: 2048
  do-not-query-localhost: no
  minimal-responses: yes
  local-zone: "test." nodefault
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: ${loopback}@${stubPort}
`;

/** @param folder where configurations may be written */
export function allForwarders(folder: string): readonly Forwarder[] {
  return [
    ours(
      'ours',
      'ours: policy, checks, pins acknowledged',
      5_301,
      'reference-forwarder',
      'epoll',
      tables.inet,
    ),
    ours('ours-no-pins', '  ours without pins', 5_302, 'unpinned-forwarder'),
    ours(
      'ours-dgram',
      '  ours on node:dgram, with pins',
      5_303,
      'reference-forwarder',
      'dgram',
      tables.dgram,
    ),
    dnsmasq('dnsmasq', '  dnsmasq, no cache, no pins', 5_304),
    dnsmasq(
      'dnsmasq-nftset',
      '  dnsmasq --nftset',
      5_305,
      `--nftset=/bench.test/4#inet#${tables.inet}#${tables.dnsmasqSet}`,
    ),
    unbound(`${folder}/unbound.conf`),
    {
      id: 'node',
      title: '  Node forwarder without policy, node:dgram',
      port: 5_307,
      command: node('node-forwarder', 5_307, stubPort),
      remedy: 'it is part of this repository',
    },
    {
      id: 'published',
      title: '  the published design, a process of nft a pin',
      port: 5_308,
      command: node('published-forwarder', 5_308, stubPort, tables.publishedSet),
      remedy: 'apt-get install -y nftables',
    },
  ];
}

/** Is the program there? */
export function isThere({ command: [program = ''] }: Forwarder): boolean {
  const folders = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':');
  return program.includes('/')
    ? existsSync(program)
    : folders.some((folder) => existsSync(`${folder}/${program}`));
}
