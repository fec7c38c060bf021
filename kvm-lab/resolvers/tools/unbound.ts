/** unbound with the private-address list that its own example configuration suggests. */
import { documentedRanges, listed, type ResolverTool } from '../resolver-tool.ts';

export const tool: ResolverTool = {
  name: 'unbound',
  debianPackage: 'unbound',
  programs: { unbound: 'unbound' },
  setting: `private-address: ${documentedRanges.join(' ')}`,
  documented: 'unbound.conf(5), private-address; the list is that of the example unbound.conf of the package',
  beside: 'module-config "iterator" (no validation), forward-zone ".", one thread',
  setUp({ folder, server, upstream }) {
    const config = `server:
${listed([
  `directory: "${folder}"`,
  'username: ""',
  'chroot: ""',
  'pidfile: ""',
  'use-syslog: no',
  `interface: ${server.address}@${server.port}`,
  'access-control: 127.0.0.0/8 allow',
  'do-daemonize: no',
  'num-threads: 1',
  'module-config: "iterator"',
  'do-not-query-localhost: no',
  ...documentedRanges.map((range) => `private-address: ${range}`),
])}forward-zone:
${listed(['name: "."', `forward-addr: ${upstream.address}@${upstream.port}`])}remote-control:
${listed(['control-enable: no'])}`;
    return { files: { 'unbound.conf': config }, command: ['unbound', '-d', '-c', `${folder}/unbound.conf`] };
  },
};
