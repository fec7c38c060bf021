/** Connection tracking entries of this network namespace: made, and all removed, over ctnetlink. */
import { addressOctets } from '#properties/arbitraries/nft/frame-bytes.ts';
import { attribute } from '#properties/oracles/netlink/attributes.ts';
import { NetlinkSocket, netlinkNetfilter } from '#properties/oracles/netlink/netlink-socket.ts';

const newEntry = 1 << 8;
const deleteEntries = (1 << 8) | 2;
const flagCreate = 0x400 | 0x200;
const statusSeenReply = 2;
const statusAssured = 4;
const statusConfirmed = 8;
const timeoutSeconds = 600;
const tcpEstablished = 3;
const tcpLiberal = Buffer.from([0x08, 0x08]);

export interface Entry {
  readonly protocol: 6 | 17;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly mark: number;
  readonly assured: boolean;
  /** The source as the other side sees it. */
  readonly translatedTo: string | null;
}

export class ConntrackTable {
  readonly #socket = new NetlinkSocket(netlinkNetfilter);

  close(): void {
    this.#socket.close();
  }

  flush(): void {
    this.#socket.request(deleteEntries, 0, Buffer.from([0, 0, 0, 0]));
  }

  /** An established flow, seen in both directions. */
  add(entry: Entry): void {
    const family = entry.source.includes(':') ? 10 : 2;
    const status = statusConfirmed | statusSeenReply | (entry.assured ? statusAssured : 0);
    const body = [
      Buffer.from([family, 0, 0, 0]),
      tuple(1, entry, entry.source, entry.sourcePort, entry.destination, entry.destinationPort),
      tuple(2, entry, entry.destination, entry.destinationPort, entry.source, entry.sourcePort),
      attribute(3, number32(status)),
      attribute(7, number32(timeoutSeconds)),
      attribute(8, number32(entry.mark)),
    ];
    if (entry.protocol === 6) body.push(attribute(4, [attribute(1, tcpState())]));
    if (entry.translatedTo !== null) {
      const address = addressOctets(entry.translatedTo);
      body.push(attribute(6, [attribute(1, address), attribute(2, address)]));
    }
    this.#socket.request(newEntry, flagCreate, Buffer.concat(body));
  }
}

function tcpState(): Buffer[] {
  return [attribute(1, Buffer.from([tcpEstablished])), attribute(4, tcpLiberal), attribute(5, tcpLiberal)];
}

function tuple(
  type: number,
  { protocol }: Entry,
  source: string,
  sourcePort: number,
  destination: string,
  destinationPort: number,
): Buffer {
  const [sourceType, destinationType] = source.includes(':') ? [3, 4] : [1, 2];
  return attribute(type, [
    attribute(1, [
      attribute(sourceType, addressOctets(source)),
      attribute(destinationType, addressOctets(destination)),
    ]),
    attribute(2, [
      attribute(1, Buffer.from([protocol])),
      attribute(2, number16(sourcePort)),
      attribute(3, number16(destinationPort)),
    ]),
  ]);
}

function number16(value: number): Buffer {
  const made = Buffer.alloc(2);
  made.writeUInt16BE(value);
  return made;
}

function number32(value: number): Buffer {
  const made = Buffer.alloc(4);
  made.writeUInt32BE(value);
  return made;
}
