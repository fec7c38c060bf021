/**
 * A stream on a vsock address, which Node has no sockets for: non-blocking calls, tried again by a timer.
 * Invariant: at most one chunk is held in either direction; the descriptor is closed once, whoever ends it.
 */
import { Duplex } from 'node:stream';
import { close, connect, fcntl, recv, SyscallError, send, socket } from '#reference/base/syscalls.ts';

const AF_VSOCK = 40;
const SOCK_STREAM_CLOEXEC = 0x80001;
const F_SETFL = 4;
const O_NONBLOCK = 0x800;
const MSG_NOSIGNAL = 0x4000;
const retryMs = 2;
const chunkOctets = 16_384;

/** sockaddr_vm: family, reserved, port, CID. The kernel bounds the wait (2 s). @throws SyscallError */
export function connectVsock(cid: number, port: number): Duplex {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_VSOCK, 0);
  address.writeUInt32LE(port, 4);
  address.writeUInt32LE(cid, 8);
  const fd = socket(AF_VSOCK, SOCK_STREAM_CLOEXEC, 0);
  try {
    connect(fd, address);
    return new PolledStream(fd);
  } catch (error) {
    close(fd);
    throw error;
  }
}

const isLater = (error: unknown) => error instanceof SyscallError && error.code === 'EAGAIN';

/** Of a connected socket of any family, which is the stream's from now on. */
export class PolledStream extends Duplex {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(chunkOctets);
  #timers = new Set<NodeJS.Timeout>();

  constructor(fd: number) {
    super();
    this.#fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
  }

  override _read(): void {
    this.#attempt(() => {
      const octets = recv(this.#fd, this.#buffer);
      this.push(octets === 0 ? null : Buffer.from(this.#buffer.subarray(0, octets)));
    });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let at = 0;
    const step = (): void =>
      this.#attempt(() => {
        at += send(this.#fd, chunk.subarray(at), MSG_NOSIGNAL);
        if (at === chunk.length) done();
        else step();
      });
    step();
  }

  /** Now, or when the kernel is ready for it. */
  #attempt(call: () => void): void {
    if (this.destroyed) return;
    try {
      call();
    } catch (error) {
      if (!isLater(error)) {
        this.destroy(error as Error);
        return;
      }
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#attempt(call);
      }, retryMs);
      this.#timers.add(timer);
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    for (const timer of this.#timers) clearTimeout(timer);
    close(this.#fd);
    done(error);
  }
}
