/** dnsmasq with --stop-dns-rebind, and with --nftset: the one of the five resolvers that pins. */
import type { ResolverTool } from '../resolver-tool.ts';

const sets = { family: 'inet', table: 'huskproof', ipv4: 'pins4', ipv6: 'pins6', of: 'addresses' } as const;

export const tool: ResolverTool = {
  name: 'dnsmasq',
  debianPackage: 'dnsmasq-base',
  programs: { dnsmasq: 'dnsmasq-base' },
  setting: 'stop-dns-rebind',
  documented: 'dnsmasq(8), --stop-dns-rebind and --nftset',
  beside: 'no-resolv, cache-size=0, one server; nftset=/DOMAIN/ for A and AAAA',
  pinSets: sets,
  setUp({ folder, server, upstream, domain }) {
    const nftset = `4#${sets.family}#${sets.table}#${sets.ipv4},6#${sets.family}#${sets.table}#${sets.ipv6}`;
    const config = [
      `listen-address=${server.address}`,
      `port=${server.port}`,
      'bind-interfaces',
      'no-resolv',
      'no-hosts',
      'no-poll',
      'cache-size=0',
      `server=${upstream.address}#${upstream.port}`,
      'stop-dns-rebind',
      `nftset=/${domain}/${nftset}`,
      'user=root',
      `pid-file=${folder}/pid`,
      'log-facility=-',
    ];
    return {
      files: { 'dnsmasq.conf': `${config.join('\n')}\n` },
      command: ['dnsmasq', '--keep-in-foreground', `--conf-file=${folder}/dnsmasq.conf`],
    };
  },
};
