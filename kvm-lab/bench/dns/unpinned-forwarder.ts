/**
 * Ours but for the kernel's sets, a process of its own: `unpinned-forwarder.ts PORT UPSTREAM-PORT`. The same core on
 * the same adapter in a thread of as much memory, with a port of pins that acknowledges at once: what pins cost is the
 * difference.
 */
import { isMainThread, Worker } from 'node:worker_threads';
import type { PinCommand } from '#reference/contract/pin-port.ts';
import { proxyLimits } from '#reference/dnsproxy/core/limits.ts';
import { ProxyCore } from '#reference/dnsproxy/core/proxy-core.ts';
import { threadMemory } from '#reference/dnsproxy/core/thread-memory.ts';
import { EpollIo } from '#reference/dnsproxy/packets/epoll-io.ts';
import { loopback } from './ground.ts';
import { benchLimits, benchSandbox } from './sandbox-policy.ts';

const [, , port = '', upstreamPort = ''] = process.argv;

async function serve(): Promise<void> {
  const io = new EpollIo();
  const noStreams = () => {
    throw new Error('the bench asks nothing over TCP');
  };
  const core = new ProxyCore({
    io,
    streams: { ask: noStreams, answer: noStreams },
    pins: {
      run: (commands: readonly PinCommand[]) => commands.map(() => null),
      setsOf: () => ['ipv4', 'ipv6'],
      read: () => [],
      close: () => undefined,
    },
    limits: { ...proxyLimits, ...benchLimits },
    clock: () => performance.now(),
    log: (line) => console.error(JSON.stringify(line)),
  });
  core.attach(benchSandbox(Number(port)), (endpoint) => io.listen(endpoint));
  core.setUpstreams([{ address: loopback, port: Number(upstreamPort) }]);
  await io.run(core);
}

if (isMainThread) {
  new Worker(new URL(import.meta.url), { argv: process.argv.slice(2), resourceLimits: threadMemory() });
} else await serve();
