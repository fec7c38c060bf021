/**
 * A datapath in memory, for tests of what stands above it.
 * Invariant: the same answers as the kernel's, by one contract test for both; no descriptor, no packet.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import {
  type PinElement,
  type PodNetwork,
  pinSetOf,
  type SandboxNetwork,
  type SandboxPolicy,
} from '#reference/contract/datapath.ts';
import type { DatapathPort, OpenedTap } from '#reference/contract/datapath-port.ts';
import { parseAddress } from '../decisions/pin-address/ip-address.ts';
import { checkNetwork, checkPod, checkPolicy } from '../decisions/ruleset/check-network.ts';
import { familiesOf } from '../decisions/ruleset/sandbox-words.ts';

interface Standing {
  readonly network: SandboxNetwork;
  policy: SandboxPolicy;
  readonly pins: Map<string, number>;
}

export class FakeDatapath implements DatapathPort {
  readonly #pod: PodNetwork;
  readonly #now: () => number;
  readonly #standing = new Map<string, Standing>();
  readonly #cutOff = new Set<string>();
  #opened = 0;

  constructor(pod: PodNetwork, now: () => number = () => performance.now()) {
    checkPod(pod);
    this.#pod = pod;
    this.#now = now;
  }

  open(network: SandboxNetwork, policy: SandboxPolicy): OpenedTap {
    checkNetwork(this.#pod, network);
    checkPolicy(this.#pod, policy);
    const { tap } = network;
    if (this.#standing.has(tap) || this.#cutOff.has(tap)) {
      throw new CodedError('tap-taken', `a sandbox stands at ${tap}`, 'close it first, or name another tap');
    }
    const addresses = this.#addresses();
    for (const [family, { guest, gateway }] of familiesOf(network)) {
      for (const [part, address] of [
        ['guest', guest],
        ['gateway', gateway],
      ] as const) {
        if (addresses.has(address))
          throw this.#refuse(`${family}.${part}`, `${address} is the pod’s already`);
      }
    }
    this.#checkInbound(tap, policy);
    this.#standing.set(tap, { network, policy, pins: new Map() });
    this.#opened += 1;
    return { fd: -1, index: this.#opened };
  }

  #addresses(): Set<string> {
    const all = [...this.#standing.values()].flatMap(({ network }) => familiesOf(network));
    return new Set(all.flatMap(([, { guest, gateway, resolver }]) => [guest, gateway, resolver]));
  }

  #refuse(field: string, what: string): CodedError {
    return new CodedError('bad-network', `${field}: ${what}`, 'mend the field that the message names');
  }

  #checkInbound(tap: string, { inbound }: SandboxPolicy): void {
    for (const [index, { protocol, podPort }] of inbound.entries()) {
      for (const [other, { policy }] of this.#standing) {
        const isUsed = policy.inbound.some((one) => one.protocol === protocol && one.podPort === podPort);
        if (other !== tap && isUsed)
          throw this.#refuse(
            `inbound[${index}].podPort`,
            `${protocol} ${podPort} is the sandbox’s at ${other}`,
          );
      }
    }
  }

  change(tap: string, policy: SandboxPolicy, unjustified: readonly PinElement[] = []): void {
    const standing = this.#known(tap);
    checkPolicy(this.#pod, policy);
    this.#checkInbound(tap, policy);
    this.deletePins(unjustified);
    standing.policy = policy;
  }

  cutOff(tap: string): void {
    this.#known(tap);
    this.#standing.delete(tap);
    this.#cutOff.add(tap);
  }

  reap(): void {
    this.#cutOff.clear();
  }

  close(tap: string): void {
    this.cutOff(tap);
    this.reap();
  }

  async closeInBackground(tap: string): Promise<void> {
    this.cutOff(tap);
    await Promise.resolve();
    this.#cutOff.delete(tap);
  }

  addPins(pins: readonly PinElement[]): boolean[] {
    return pins.map((pin) => {
      const standing = this.#standing.get(pin.tap);
      const set = this.#setOf(pin);
      if (standing === undefined || set === null) return false;
      const now = this.#now();
      for (const [key, end] of standing.pins) if (end <= now) standing.pins.delete(key);
      const key = `${set} ${keyOf(pin)}`;
      const size = [...standing.pins.keys()].filter((one) => one.startsWith(`${set} `)).length;
      if (!standing.pins.has(key) && size >= this.#pod.maxPins) return false;
      standing.pins.set(key, now + pin.timeoutMs);
      return true;
    });
  }

  deletePins(pins: readonly PinElement[]): boolean[] {
    for (const pin of pins) {
      const set = this.#setOf(pin);
      this.#standing.get(pin.tap)?.pins.delete(`${set} ${keyOf(pin)}`);
    }
    return pins.map(() => true);
  }

  /** null: the sandbox has no such family. Throws RangeError for what is no address. */
  #setOf({ tap, address }: PinElement): string | null {
    const bytes = parseAddress(address);
    if (bytes === null) throw new RangeError(`${address} is no address`);
    const isOn = bytes.length === 4 || this.#standing.get(tap)?.network.ipv6 !== null;
    return isOn ? pinSetOf(tap, bytes.length === 4 ? 'ipv4' : 'ipv6') : null;
  }

  shutDown(): void {
    this.#standing.clear();
    this.#cutOff.clear();
  }

  #known(tap: string): Standing {
    const standing = this.#standing.get(tap);
    if (standing === undefined) {
      throw new CodedError('no-sandbox', `no sandbox stands at ${tap}`, 'open one, or name the tap of one');
    }
    return standing;
  }
}

const keyOf = ({ address, protocol, port }: PinElement) => `${address} ${protocol} ${port}`;
