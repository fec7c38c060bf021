/** Knot Resolver with its rebinding module, which brings its own list. */
import type { ResolverTool } from '../resolver-tool.ts';

export const tool: ResolverTool = {
  name: 'knot-resolver',
  debianPackage: 'knot-resolver',
  programs: { kresd: 'knot-resolver' },
  setting: "modules.load('rebinding < iterate')",
  documented: 'Knot Resolver documentation, "Rebinding protection"; the module brings its list',
  beside:
    'policy.STUB to one upstream for every name, no trust anchor, cache.min_ttl(0) (its default raises to 5 s)',
  setUp({ folder, server, upstream }) {
    const config = `net.ipv6 = false
net.listen('${server.address}', ${server.port}, { kind = 'dns' })
cache.open(10 * MB, 'lmdb://${folder}')
cache.min_ttl(0)
trust_anchors.remove('.')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
modules.load('rebinding < iterate')
policy.add(policy.all(policy.STUB('${upstream.address}@${upstream.port}')))
`;
    return {
      files: { 'kresd.conf': config },
      command: ['kresd', '-n', '-c', `${folder}/kresd.conf`, folder],
    };
  },
};
