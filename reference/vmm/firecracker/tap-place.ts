/**
 * Where a VMM that opens its tap by its name finds it: a network namespace, a name, and nobody else at the tap.
 * Invariant: the tap is the VMM's uid's alone from before the VMM is started, and gone once it was released, whoever
 * has ended the VMM. What the caller handed over stays the caller's to close, and is of nothing meanwhile.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { NetworkNamespace } from '#reference/base/namespace-thread.ts';
import { makePrivateNamespace } from '#reference/base/private-namespace.ts';
import { close } from '#reference/base/syscalls.ts';
import type { Machine, VmPlace } from '#reference/contract/vmm-port.ts';
import {
  attachTap,
  createTap,
  isThere,
  letGo,
  makeStay,
  nameOf,
  namespaceOf,
  replaceByNothing,
} from './tap-device.ts';

/** Of a cable that leads nowhere: alone in a namespace of its own. */
const deadEnd = 'tap0';

export class TapPlace {
  readonly name: string;
  /** Of the network namespace. */
  readonly networkFd: number;
  readonly #namespace: NetworkNamespace;
  /** The tap's, until it is given. */
  #fd: number | null;
  /** The descriptor is the caller's. */
  readonly #isHanded: boolean;
  #isReleased = false;

  private constructor(fd: number, isHanded: boolean, networkFd: number) {
    this.#fd = fd;
    this.#isHanded = isHanded;
    this.networkFd = networkFd;
    this.name = nameOf(fd);
    this.#namespace = new NetworkNamespace(`/proc/self/fd/${networkFd}`);
  }

  /**
   * null: the machine has no eth0.
   * @throws CodedError `bad-machine` for a tap without an eth0; `vmm-failed` when there can be none by name
   */
  static of({ guestMac }: Machine, { tapFd }: VmPlace): TapPlace | null {
    if (guestMac === null) {
      if (tapFd === null) return null;
      throw new CodedError('bad-machine', 'a tap for a machine without eth0', 'give the machine a guestMac');
    }
    try {
      return tapFd === null ? TapPlace.#nowhere() : TapPlace.#at(tapFd, true);
    } catch (cause) {
      throw tapFault('there is no tap to be opened by its name', cause);
    }
  }

  static #at(fd: number, isHanded: boolean): TapPlace {
    const networkFd = namespaceOf(fd);
    try {
      return new TapPlace(fd, isHanded, networkFd);
    } catch (error) {
      close(networkFd);
      throw error;
    }
  }

  static #nowhere(): TapPlace {
    const made = makePrivateNamespace();
    try {
      const fd = made.namespace.within(() => createTap(deadEnd));
      try {
        return TapPlace.#at(fd, false);
      } catch (error) {
        close(fd);
        throw error;
      }
    } finally {
      // It is there as long as the tap is, or a descriptor of it.
      made.close();
    }
  }

  /** To that uid; the one who handed the tap over has it no more. @throws CodedError `vmm-failed` */
  give(uid: number): void {
    if (this.#fd === null) return;
    try {
      makeStay(this.#fd, uid);
      this.#closeOwn(this.#fd);
    } catch (cause) {
      throw tapFault(`the tap ${this.name} cannot be given to uid ${uid}`, cause);
    }
  }

  /** Once nobody has it open. Idempotent. @throws CodedError `vmm-failed` when it does not go */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    try {
      if (this.#fd === null) this.#namespace.within(() => takeAway(this.name));
      else if (!this.#isHanded) close(this.#fd);
      this.#fd = null;
    } catch (cause) {
      throw tapFault(`the tap ${this.name} does not go`, cause);
    } finally {
      this.#namespace.close();
      close(this.networkFd);
    }
  }

  #closeOwn(fd: number): void {
    if (this.#isHanded) replaceByNothing(fd);
    else close(fd);
    this.#fd = null;
  }
}

/** The datapath may have done so already. */
function takeAway(name: string): void {
  if (!isThere(name)) return;
  const fd = attachTap(name);
  try {
    letGo(fd);
  } finally {
    close(fd);
  }
}

function tapFault(message: string, cause: unknown): CodedError {
  if (cause instanceof CodedError) return cause;
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  const remedy = 'run the engine with CAP_NET_ADMIN and /dev/net/tun; for templates with CAP_SYS_ADMIN too';
  return new CodedError('vmm-failed', `${message}${why}`, remedy, { cause });
}
