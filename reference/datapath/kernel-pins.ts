/**
 * The DNS proxy's hold on the sets of pins, by a netlink session of its own.
 * Invariant: an answer of the kernel that was lost is never taken for a yes, nor for a no.
 */
import { getSystemErrorMap } from 'node:util';
import { CodedError } from '#reference/base/coded-error.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import { type AddressFamily, inetTable } from '#reference/contract/datapath.ts';
import type { PinCommand, PinPort, StandingPin } from '#reference/contract/pin-port.ts';
import { lostAnswer, NETLINK_NETFILTER, NetlinkSession } from './netlink.ts';
import { type PinBatch, PinWriter } from './pins.ts';
import { pinSets, readPins } from './read-pins.ts';

const errorNames = getSystemErrorMap();
const nobodyKnows = 'ETIMEDOUT';

function nameOf(errno: number): string | null {
  if (errno === 0) return null;
  return errno === lostAnswer ? nobodyKnows : (errorNames.get(-errno)?.[0] ?? `errno ${errno}`);
}

export class KernelPins implements PinPort {
  readonly #netfilter: NetlinkSession;
  readonly #writer: PinWriter;
  readonly #table: string;

  /**
   * In the network namespace of the calling thread.
   * @throws CodedError `no-net-admin`
   */
  constructor(table = inetTable) {
    this.#table = table;
    this.#netfilter = new NetlinkSession(NETLINK_NETFILTER);
    this.#writer = new PinWriter(this.#netfilter, table);
    try {
      // Whoever may not list sets may not fill them either.
      pinSets(this.#netfilter, table);
    } catch (cause) {
      this.#netfilter.close();
      if (!(cause instanceof SyscallError) || cause.code !== 'EPERM') throw cause;
      throw new CodedError(
        'no-net-admin',
        'nf_tables may not be changed in this network namespace',
        'run it with CAP_NET_ADMIN in the user namespace that owns the network namespace',
        { cause },
      );
    }
  }

  run(commands: readonly PinCommand[]): (string | null)[] {
    const results: (string | null)[] = [];
    let batches: PinBatch[] = [];
    const send = () => {
      for (const result of this.#asked(() => this.#writer.run(batches), batches.length)) results.push(result);
      batches = [];
    };
    for (const command of commands) {
      if (command.kind === 'add' || command.kind === 'delete') {
        batches.push(command);
        continue;
      }
      send();
      const { kind, tap } = command;
      if (kind === 'delete-set') {
        results.push(...this.#asked(() => [this.#writer.flush(tap, command.family)], 1));
      } else results.push(this.setsOf(tap).length === 0 ? 'ENODEV' : null);
    }
    send();
    return results;
  }

  #asked(act: () => number[], count: number): (string | null)[] {
    try {
      return act().map(nameOf);
    } catch (error) {
      // The kernel was silent, or the socket failed: what was sent may have been done.
      if (!(error instanceof CodedError) && !(error instanceof SyscallError)) throw error;
      return Array.from({ length: count }, () => nobodyKnows);
    }
  }

  setsOf(tap: string): AddressFamily[] {
    return pinSets(this.#netfilter, this.#table).get(tap) ?? [];
  }

  read(): StandingPin[] {
    return readPins(this.#netfilter, this.#table);
  }

  close(): void {
    this.#netfilter.close();
  }
}
