/** The VMM's end of a tap, held as a descriptor, whatever frame out, every frame in. */
import type { SandboxPlace } from '#properties/subjects/datapath-protocol.ts';
import type { GuestEnd, SeenFrame } from '../network-lab.ts';
import { CallError, closeAside, closeFd, readFd, writeFd } from './kernel-calls.ts';
import type { Reactor } from './reactor.ts';

const maxFrames = 40_000;
const chunk = Buffer.alloc(1 << 17);

export class TapEnd implements GuestEnd {
  readonly place: SandboxPlace;
  readonly frames: SeenFrame[] = [];
  beyond = 0;
  /** Sees each frame that comes in, as it comes: the honest guest's wire. */
  onFrame: ((frame: Buffer) => void) | null = null;
  readonly #reactor: Reactor;
  readonly #fd: number;
  readonly #goes: () => void;
  #closed = false;

  /** `goes`: what else must end with it, for a wire that no descriptor holds. */
  constructor(reactor: Reactor, fd: number, place: SandboxPlace, goes: () => void = () => undefined) {
    this.#goes = goes;
    this.place = place;
    this.#reactor = reactor;
    this.#fd = fd;
    reactor.read(fd, () => this.drain());
  }

  send(frame: Uint8Array): boolean {
    this.#keep(Buffer.from(frame), true);
    try {
      return writeFd(this.#fd, frame);
    } catch (error) {
      // EIO: down; EINVAL: shorter than a header; EBADFD: the tap was deleted.
      if (error instanceof CallError) return false;
      throw error;
    }
  }

  async sent(): Promise<void> {
    // What is sent here is on the wire at once.
  }

  async settled(): Promise<void> {
    this.drain();
  }

  drain(): void {
    for (let frame = this.#read(); frame !== null; frame = this.#read()) {
      this.#keep(frame, false);
      this.onFrame?.(frame);
    }
  }

  #read(): Buffer | null {
    try {
      const octets = readFd(this.#fd, chunk);
      return octets === null ? null : Buffer.from(chunk.subarray(0, octets));
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      // The tap was deleted: a descriptor that is always ready would keep the loop busy for nothing.
      this.#reactor.forget(this.#fd);
      return null;
    }
  }

  #keep(frame: Buffer, outgoing: boolean): void {
    if (this.frames.length >= maxFrames) this.beyond += 1;
    else this.frames.push({ atMs: performance.now(), interface: 0, outgoing, frame });
  }

  /** The tap is gone when this returns, unless somebody else holds it; `aside`: soon. */
  close(when: 'now' | 'aside' = 'now'): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reactor.forget(this.#fd);
    this.#goes();
    if (when === 'now') closeFd(this.#fd);
    else closeAside(this.#fd);
  }
}
