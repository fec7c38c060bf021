/** A channel on a vsock port of the guest, where its VMM is Firecracker. Invariant: as of the port. */
import { type Channel, LineFeed, type LineHandler, lineOf } from './channel.ts';
import { hostCid, VsockPort } from './vsock-port.ts';

export class VsockChannel implements Channel {
  readonly #port: VsockPort;

  /** @param peerCid who alone may connect */
  constructor(port: number, peerCid: number = hostCid) {
    this.#port = new VsockPort(port, peerCid);
  }

  serve(handler: LineHandler): Promise<void> {
    const feed = new LineFeed(handler, (message) => this.#port.send(lineOf(message)));
    return this.#port.serve({
      octets: (chunk) => feed.feed(chunk),
      gone: () => feed.disconnected(),
    });
  }

  close(): void {
    this.#port.close();
  }
}
