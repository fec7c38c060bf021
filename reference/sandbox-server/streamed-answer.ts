/**
 * An answer that is written as it comes: it begins with the first octet or with the end, so that a refusal still has a
 * status of its own; it goes no faster than the client reads.
 * Invariant: once the client has hung up, whoever writes is told.
 */
import type { ServerResponse } from 'node:http';

export class StreamedAnswer {
  readonly #response: ServerResponse;
  readonly #contentType: string;
  readonly #gone = Promise.withResolvers<never>();

  /** @param hungUp told when the client goes before the end */
  constructor(response: ServerResponse, contentType: string, hungUp: () => void) {
    this.#response = response;
    this.#contentType = contentType;
    this.#gone.promise.catch(() => undefined);
    response.once('close', () => {
      if (response.writableFinished) return;
      this.#gone.reject(new Error('the client has hung up'));
      hungUp();
    });
  }

  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  begin(): void {
    if (this.hasBegun) return;
    this.#response.writeHead(200, {
      'content-type': this.#contentType,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    // The client learns at once that it was taken.
    this.#response.flushHeaders();
  }

  /** Ends when there is room for more. Rejects when the client has gone. */
  async write(octets: string | Uint8Array): Promise<void> {
    this.begin();
    if (this.#response.destroyed) throw new Error('the client has hung up');
    if (this.#response.write(octets)) return;
    const drained = new Promise<void>((resolve) => this.#response.once('drain', resolve));
    await Promise.race([drained, this.#gone.promise]);
  }

  end(): void {
    this.begin();
    this.#response.end();
  }

  /** Cut off, so that nobody takes it for whole. */
  abort(): void {
    this.#response.destroy();
  }
}
