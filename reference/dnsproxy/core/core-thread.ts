/**
 * The thread of the proxy's core: it waits in epoll_wait and does nothing else. TCP, logs and metrics are the main
 * thread's; both talk by messages.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { DnsEndpoint } from '#reference/contract/dns-port.ts';
import { KernelPins } from '../../datapath/kernel-pins.ts';
import { guestSide } from '../guest-side.ts';
import { EpollIo } from '../packets/epoll-io.ts';
import { type CoreRequest, type SentError, sentError, serveRequest } from './core-requests.ts';
import type { CountSnapshot } from './counts.ts';
import type { ProxyLimits } from './limits.ts';
import { ProxyCore } from './proxy-core.ts';
import type { RefusalLine } from './refusal-log.ts';

export interface ThreadData {
  readonly limits: ProxyLimits;
  readonly namespacePath: string | null;
  readonly table: string;
}

export type ToCore =
  | { readonly kind: 'call'; readonly call: number; readonly request: CoreRequest }
  | {
      readonly kind: 'guest';
      readonly tap: string;
      readonly connection: number;
      readonly client: DnsEndpoint;
      readonly message: Uint8Array;
    }
  | { readonly kind: 'upstream'; readonly token: number; readonly reply: Uint8Array | null }
  | { readonly kind: 'close' };

export type FromCore =
  | { readonly kind: 'ready'; readonly wakeFd: number }
  | { readonly kind: 'failed'; readonly error: SentError }
  | { readonly kind: 'done'; readonly call: number; readonly result: CountSnapshot | null }
  | { readonly kind: 'refused'; readonly call: number; readonly error: SentError }
  | { readonly kind: 'log'; readonly line: RefusalLine }
  | {
      readonly kind: 'ask';
      readonly upstream: DnsEndpoint;
      readonly message: Uint8Array;
      readonly token: number;
    }
  | { readonly kind: 'answer'; readonly connection: number; readonly message: Uint8Array | null };

const say = (message: FromCore) => parentPort?.postMessage(message);

async function serve({ limits, namespacePath, table }: ThreadData): Promise<void> {
  const side = guestSide(namespacePath);
  const pins = side.within(() => new KernelPins(table));
  const io = new EpollIo();
  const core = new ProxyCore({
    ...{ io, pins, limits, clock: () => performance.now() },
    streams: {
      ask: (upstream, message, token) => say({ kind: 'ask', upstream, message, token }),
      answer: (connection, message) => say({ kind: 'answer', connection, message }),
    },
    log: (line) => say({ kind: 'log', line }),
  });
  core.reconcile();
  const listenOn = (endpoint: DnsEndpoint) => side.within(() => io.listen(endpoint));
  parentPort?.on('message', (message: ToCore) => {
    switch (message.kind) {
      case 'call':
        void answerCall(core, message.call, message.request, listenOn);
        return;
      case 'guest':
        return core.guestStream(message.tap, message.connection, message.client, message.message);
      case 'upstream':
        return core.upstreamStream(message.token, message.reply);
      case 'close':
        io.close();
        parentPort?.close();
    }
  });
  say({ kind: 'ready', wakeFd: io.wakeFd });
  await io.run(core);
  pins.close();
  side.close();
}

async function answerCall(
  core: ProxyCore,
  call: number,
  request: CoreRequest,
  listenOn: (endpoint: DnsEndpoint) => number,
): Promise<void> {
  try {
    say({ kind: 'done', call, result: await serveRequest(core, request, listenOn) });
  } catch (error) {
    say({ kind: 'refused', call, error: sentError(error) });
  }
}

try {
  await serve(workerData as ThreadData);
} catch (error) {
  // Before it was ready this is why; later the main thread takes it for the end.
  say({ kind: 'failed', error: sentError(error) });
  parentPort?.close();
}
