/** npm's dns-packet as a peer. */
import { createRequire } from 'node:module';
import * as dnsPacket from 'dns-packet';
import { type Labels, types } from '../../../models/dns-message.ts';
import { addressNumber, addressText } from '../../../oracles/addresses/address-number.ts';
import type { Peer, PeerReading, PeerRecord } from './peer.ts';

const require = createRequire(import.meta.url);
const { version } = require('dns-packet/package.json') as { version: string };
const { toType } = require('dns-packet/types') as { toType: (name: string) => number };
const classes: Readonly<Record<string, number>> = { IN: 1, CS: 2, CH: 3, HS: 4, ANY: 255 };

const labelsOf = (text: string): Labels => (text === '.' || text === '' ? [] : text.split('.'));
const numberOf = (text: string) => Number(/^UNKNOWN_(\d+)$/.exec(text)?.[1] ?? Number.NaN);
const typeOf = (text: string) => toType(text) || numberOf(text);
const classOf = (text: string | undefined) => classes[text ?? ''] ?? numberOf(text ?? '');

interface LooseRecord {
  readonly name: string;
  readonly type: string;
  readonly class?: string;
  readonly ttl?: number;
  readonly data?: unknown;
}

function recordOf({ name, type, class: own, ttl = 0, data }: LooseRecord): PeerRecord {
  const code = typeOf(type);
  const isText = typeof data === 'string';
  const isAddress = isText && (code === types.a || code === types.aaaa);
  // Of two runs of zeros it shortens the first, not the longest (RFC 5952 section 4.2.3): notation is not compared.
  const read = isAddress
    ? addressText(addressNumber(data))
    : isText && code === types.cname
      ? labelsOf(data)
      : null;
  return { owner: labelsOf(name), type: code, class: classOf(own), ttl, data: read };
}

function readOne(octets: Uint8Array): PeerReading {
  try {
    const packet = dnsPacket.decode(Buffer.from(octets));
    const questions = (packet.questions ?? []).map(({ name, type, class: own }) => ({
      name: labelsOf(name),
      type: typeOf(type),
      class: classOf(own),
    }));
    return { read: true, questions, answers: ((packet.answers ?? []) as LooseRecord[]).map(recordOf) };
  } catch (error) {
    // Plain errors, and whatever its decoders of rdata run into: all of it says that it does not read this.
    if (!(error instanceof Error)) throw error;
    const kind = error.name === 'Error' ? '' : `throws ${error.name}: `;
    return { read: false, error: `${kind}${error.message.replace(/[\d.]+/g, 'n')}` };
  }
}

export const dnsPacketPeer: Peer = {
  name: 'dns-packet',
  version,
  read: async (messages) => messages.map(readOne),
  close: async () => undefined,
};
