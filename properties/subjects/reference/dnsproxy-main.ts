/**
 * The reference's DNS proxy as a harness drives it: the whole of it, threads included, in the pod's namespace; on the
 * adapter that HUSKPROOF_DNS_IO names.
 */
import { openLog } from '#reference/base/log.ts';
import { startDnsProxy } from '#reference/dnsproxy/dnsproxy.ts';
import { serveDnsProxy } from '../dnsproxy-protocol.ts';

const log = openLog('dns', 'warn');
const io = process.env.HUSKPROOF_DNS_IO ?? 'epoll';
if (io !== 'epoll' && io !== 'dgram') throw new Error(`no adapter ${io}: epoll, dgram`);

await serveDnsProxy(async (upstreams, ttlFloorSeconds) => {
  const proxy = await startDnsProxy({ upstreams, io, log, limits: { ttlFloorSeconds } });
  proxy.ended.catch((error: unknown) => {
    log.error({ error: String(error) }, 'the proxy ended although nobody stopped it');
    process.exit(70);
  });
  return {
    attach: ({ tap, listen, policy }) => proxy.attach({ tap, listen, policy }),
    policy: (tap, policy) => proxy.change(tap, policy),
    detach: (tap) => proxy.detach(tap),
    metrics: () => proxy.metrics(),
    stop: () => proxy.stop(),
  };
});
