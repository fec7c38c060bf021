/** The core of the proxy in the calling thread: beside its event loop, or on node:dgram. */
import type { PinPort } from '#reference/contract/pin-port.ts';
import type { DnsEndpoint } from '../../contract/dns-port.ts';
import { KernelPins } from '../../datapath/kernel-pins.ts';
import { guestSide } from '../guest-side.ts';
import { DgramIo } from '../packets/dgram-io.ts';
import { EpollIo } from '../packets/epoll-io.ts';
import type { CoreHost, HostOptions } from './core-host.ts';
import { serveRequest } from './core-requests.ts';
import { ProxyCore } from './proxy-core.ts';

/** @throws CodedError as `openCore` */
export async function localCore({ pins: given, namespacePath, ...options }: HostOptions): Promise<CoreHost> {
  const side = guestSide(namespacePath);
  const io = options.io === 'epoll' ? new EpollIo({ wait: 'beside' }) : new DgramIo();
  let pins: PinPort | null = null;
  try {
    pins = 'table' in given ? side.within(() => new KernelPins(given.table)) : given;
    const core = new ProxyCore({ ...options, io, pins, clock: () => performance.now() });
    core.reconcile();
    const ended = io.run(core);
    const listenOn = (endpoint: DnsEndpoint) => side.within(() => io.listen(endpoint));
    return {
      call: (request) => serveRequest(core, request, listenOn),
      guestStream: (...message) => core.guestStream(...message),
      upstreamStream: (...message) => core.upstreamStream(...message),
      ended,
      async close() {
        io.close();
        await ended;
        pins?.close();
        side.close();
      },
    };
  } catch (error) {
    io.close();
    pins?.close();
    side.close();
    throw error;
  }
}
