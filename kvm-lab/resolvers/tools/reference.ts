/** The reference's DNS proxy, as it ships: its own process, its own pins. */
import { fileURLToPath } from 'node:url';
import type { ResolverTool } from '../resolver-tool.ts';
import { flowSets, guestTap, told } from '../subject-setup.ts';

const main = fileURLToPath(new URL('../../../reference/main/dnsproxy.ts', import.meta.url));
const flags = [
  ...told.allow.flatMap((entry) => ['--allow', `${entry}:443`]),
  ...told.denyCidr.flatMap((range) => ['--deny', range]),
  '--ipv6',
];

export const tool: ResolverTool = {
  name: 'reference',
  debianPackage: null,
  programs: {},
  setting: flags.join(' '),
  documented: 'docs/dns-proxy.md; the rest is what it does unless told otherwise',
  beside: '--upstream, one server; --tap, whose sets of pins were made for it',
  told,
  pinSets: flowSets,
  setUp({ server, upstream }) {
    const place = [
      ['--upstream', `${upstream.address}:${upstream.port}`],
      ['--listen', `${server.address}:${server.port}`],
      ['--tap', guestTap],
      ['--table', flowSets.table],
      ['--log-level', 'warn'],
    ];
    return { files: {}, command: [process.execPath, main, ...place.flat(), ...flags] };
  },
};
