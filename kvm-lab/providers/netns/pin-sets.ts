/**
 * The elements of a sandbox's sets as the kernel says, by netlink: dumped now, and told as they come and go.
 * A reader of its own: it shares nothing with the subjects that write them.
 */
import {
  attribute,
  attributeList,
  nested,
  readAttributes,
  text,
} from '#properties/oracles/netlink/attributes.ts';
import { NetlinkSocket, netlinkNetfilter } from '#properties/oracles/netlink/netlink-socket.ts';
import { familyNumbers, messages } from '#properties/oracles/nft/netlink/constants.ts';
import type { PinSetNames } from '#properties/subjects/dnsproxy-protocol.ts';
import { addressText } from '../../frames/octets.ts';
import type { KernelPin, PinEvent } from '../dns-lab.ts';
import type { Namespace } from './namespace.ts';

const newSetElement = (10 << 8) | 12;
const deleteSetElement = (10 << 8) | 14;
const tablesGroup = 7;
const bufferOctets = 8 << 20;
const maxEvents = 100_000;
const protocols: Readonly<Record<number, 'tcp' | 'udp'>> = { 6: 'tcp', 17: 'udp' };
const header = Buffer.from([familyNumbers.inet, 0, 0, 0]);

export interface WatchedTap {
  readonly tap: string;
  readonly sets: PinSetNames;
}

export class PinSets {
  readonly events: PinEvent[] = [];
  readonly #dumps: NetlinkSocket;
  readonly #watch: NetlinkSocket;
  readonly #taps: () => readonly WatchedTap[];

  /** `taps`: whose sets count, asked each time. */
  constructor(namespace: Namespace, taps: () => readonly WatchedTap[]) {
    [this.#dumps, this.#watch] = namespace.within(() => [
      new NetlinkSocket(netlinkNetfilter),
      new NetlinkSocket(netlinkNetfilter),
    ]);
    this.#watch.receiveBuffer(bufferOctets);
    this.#watch.join(tablesGroup);
    this.#taps = taps;
  }

  now(): KernelPin[] {
    return this.#taps().flatMap(({ tap, sets }) =>
      (['ipv4', 'ipv6'] as const).flatMap((family) => this.#dump(tap, family, sets.table, sets[family])),
    );
  }

  #dump(tap: string, family: 'ipv4' | 'ipv6', table: string, set: string): KernelPin[] {
    const body = Buffer.concat([header, attribute(1, table), attribute(2, set)]);
    try {
      return this.#dumps
        .dump(messages.getSetElement, body)
        .flatMap(({ body: answer }) => elementsOf(readAttributes(answer.subarray(4)), tap, family));
    } catch (error) {
      // There is no such set: nothing is pinned in it.
      if (error instanceof Error && /ENOENT/.test(error.message)) return [];
      throw error;
    }
  }

  /** Takes what the kernel has told since. */
  drain(): void {
    for (let told = this.#watch.poll(); told !== null; told = this.#watch.poll()) {
      for (const { type, body } of told) {
        if (type !== newSetElement && type !== deleteSetElement) continue;
        this.#note(type === newSetElement ? 'added' : 'deleted', body);
      }
    }
  }

  #note(what: PinEvent['what'], body: Buffer): void {
    const attributes = readAttributes(body.subarray(4));
    const [table, set] = [text(attributes, 1), text(attributes, 2)];
    for (const { tap, sets } of this.#taps()) {
      const family = (['ipv4', 'ipv6'] as const).find((name) => sets[name] === set && sets.table === table);
      if (family === undefined) continue;
      for (const pin of elementsOf(attributes, tap, family)) {
        if (this.events.length < maxEvents) this.events.push({ atMs: performance.now(), what, pin });
      }
    }
  }

  close(): void {
    this.#dumps.close();
    this.#watch.close();
  }
}

function elementsOf(
  attributes: ReturnType<typeof readAttributes>,
  tap: string,
  family: 'ipv4' | 'ipv6',
): KernelPin[] {
  const addressOctets = family === 'ipv4' ? 4 : 16;
  return attributeList(attributes.get(3) ?? Buffer.alloc(0)).flatMap(([, data]) => {
    const element = readAttributes(data);
    const key = nested(element, 1).get(1) ?? Buffer.alloc(0);
    const protocol = protocols[key[addressOctets] ?? 0];
    if (key.length !== addressOctets + 8 || protocol === undefined) return [];
    const time = (type: number) => {
      const value = element.get(type);
      return value === undefined ? null : Number(value.readBigUInt64BE(0));
    };
    return [
      {
        tap,
        family,
        address: addressText(key.subarray(0, addressOctets)),
        protocol,
        port: key.readUInt16BE(addressOctets + 4),
        timeoutMs: time(4),
        leftMs: time(5),
      },
    ];
  });
}

export function pinInWords({ tap, address, protocol, port, leftMs }: KernelPin): string {
  const left = leftMs === null ? 'for ever' : `${(leftMs / 1_000).toFixed(1)} s`;
  return `${tap} ${address} ${protocol} ${port}, ${left}`;
}
