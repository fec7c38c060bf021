/** PowerDNS Recursor with IP triggers of a response policy zone: it has no switch of its own against rebinding. */
import { documentedRanges, type ResolverTool } from '../resolver-tool.ts';

export const tool: ResolverTool = {
  name: 'pdns-recursor',
  debianPackage: 'pdns-recursor',
  programs: { pdns_recursor: 'pdns-recursor' },
  setting: `rpzFile, an rpz-ip trigger for each of ${documentedRanges.join(' ')}`,
  documented:
    'PowerDNS Recursor documentation, "Response Policy Zones", rpz-ip; no switch against rebinding (dont-query is about whom it asks), no list, so unbound’s',
  beside: 'forward-zones-recurse=., dnssec=off, disable-packetcache, no throttling of the upstream',
  setUp({ folder, server, upstream }) {
    const config = [
      `local-address=${server.address}:${server.port}`,
      `forward-zones-recurse=.=${upstream.address}:${upstream.port}`,
      'dnssec=off',
      'dont-query=',
      'daemon=no',
      'write-pid=no',
      'threads=1',
      `socket-dir=${folder}`,
      `config-dir=${folder}`,
      `lua-config-file=${folder}/rpz.lua`,
      'hint-file=no',
      'security-poll-suffix=',
      'disable-packetcache=yes',
      'server-down-max-fails=0',
      'non-resolving-ns-max-fails=0',
      'qname-minimization=no',
      'loglevel=3',
    ];
    const zone = [
      '$TTL 60',
      '@ IN SOA localhost. root.localhost. 1 3600 600 86400 60',
      '@ IN NS localhost.',
      ...documentedRanges.map((range) => `${triggerOf(range)} IN CNAME .`),
    ];
    const lua = `rpzFile("${folder}/rebinding.zone", {policyName="rebinding"})\n`;
    return {
      files: {
        'recursor.conf': `${config.join('\n')}\n`,
        'rebinding.zone': `${zone.join('\n')}\n`,
        'rpz.lua': lua,
      },
      command: ['pdns_recursor', `--config-dir=${folder}`],
    };
  },
};

/** `8.0.0.0.10.rpz-ip`; of IPv6 the words backwards, `zz` for the run of zeros. */
export function triggerOf(range: string): string {
  const [address = '', length = ''] = range.split('/');
  if (!address.includes(':')) return `${length}.${address.split('.').reverse().join('.')}.rpz-ip`;
  const [left = '', right = ''] = address.split('::');
  const words = (text: string) => (text === '' ? [] : text.split(':'));
  return [length, ...[...words(left), 'zz', ...words(right)].reverse(), 'rpz-ip'].join('.');
}
