/**
 * Ours, a process of its own: `reference-forwarder.ts PORT UPSTREAM-PORT epoll|dgram pins|no-pins`. The core of the
 * proxy with the policy of one sandbox; without a cache, as its peers. `no-pins`: a port that acknowledges at once.
 */
import type { PinCommand, PinPort } from '#reference/contract/pin-port.ts';
import { KernelPins } from '#reference/datapath/kernel-pins.ts';
import { DgramIo } from '#reference/dnsproxy/dgram-io.ts';
import { EpollIo } from '#reference/dnsproxy/epoll-io.ts';
import { proxyLimits } from '#reference/dnsproxy/limits.ts';
import { ProxyCore } from '#reference/dnsproxy/proxy-core.ts';
import { loopback, tap } from './ground.ts';

const [, , port = '', upstreamPort = '', io = '', pins = ''] = process.argv;
const never: PinPort = {
  run: (commands: readonly PinCommand[]) => commands.map(() => null),
  setsOf: () => ['ipv4', 'ipv6'],
  read: () => [],
  close: () => undefined,
};
const noStreams = () => {
  throw new Error('the bench asks nothing over TCP');
};

const packets = io === 'epoll' ? new EpollIo() : new DgramIo();
const core = new ProxyCore({
  io: packets,
  streams: { ask: noStreams, answer: noStreams },
  pins: pins === 'pins' ? new KernelPins() : never,
  limits: { ...proxyLimits, cacheEntries: 0 },
  clock: () => performance.now(),
  log: (line) => console.error(JSON.stringify(line)),
});
core.attach(
  {
    tap,
    listen: [{ address: loopback, port: Number(port) }],
    policy: {
      allow: [
        '*.bench.test:443',
        'registry.example.com:443',
        'udp://time.example.com:123',
        '192.0.2.0/24:443',
      ],
      ipv6: false,
      denyCIDRs: ['10.96.0.0/12'],
      nat64Prefixes: [],
      pinPrivateCIDRs: [],
    },
  },
  (endpoint) => packets.listen(endpoint),
);
core.setUpstreams([{ address: loopback, port: Number(upstreamPort) }]);
await packets.run(core);
