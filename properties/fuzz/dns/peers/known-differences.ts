/**
 * Every way in which a peer is known to read otherwise, with the reason. A difference that is in no row here is a
 * finding: ours, or a new row with the evidence.
 */
import type { ReadMessage } from '../../../oracles/dns/strict-reader.ts';
import type { Comparison } from './compare.ts';

export interface KnownDifference {
  /** Unique; what the published table counts by. */
  readonly id: string;
  readonly peer: 'dns-packet' | 'dnspython';
  readonly kind: Exclude<Comparison['kind'], 'same'>;
  readonly reason: RegExp;
  /** What has to be in a message that we read, so that the row fits. */
  readonly holds?: (read: ReadMessage) => boolean;
  readonly why: string;
}

const tsig = 250;
const everyRecord = ({ sections }: ReadMessage) => sections.flat();
/** A record whose data we step over unread: of another type than A, AAAA and CNAME, or an address of another class. */
const foreignData = (read: ReadMessage) =>
  everyRecord(read).some(({ type, class: own }) => type !== 5 && !(own === 1 && (type === 1 || type === 28)));
const signed = (read: ReadMessage) => everyRecord(read).some(({ type }) => type === tsig);

const rdataReasons = new RegExp(
  `^(${[
    'CNAME data is not one name',
    'an address of another length',
    'cut off',
    'data beyond the end',
    'label type that is none',
    'pointer does not go back',
    'pointer into the header',
    'name over 255 octets',
  ].join('|')})$`,
);

const dnsPacket: readonly Omit<KnownDifference, 'peer'>[] = [
  {
    id: 'tail',
    kind: 'only-peer',
    reason: /^octets after the last record$/,
    why: 'does not look behind the last record that the counts name',
  },
  {
    id: 'rdlength',
    kind: 'only-peer',
    reason: rdataReasons,
    why: 'goes on where its decoder of the data ended, whatever RDLENGTH says: what we refuse it never looks at',
  },
  {
    id: 'opt',
    kind: 'only-peer',
    reason: /OPT/,
    why: 'takes OPT in any section, of any owner, any number of times',
  },
  {
    id: 'questions',
    kind: 'only-peer',
    reason: /^QDCOUNT is not 1$/,
    why: 'reads any number of questions',
  },
  {
    id: 'pointers',
    kind: 'only-peer',
    reason: /^too many pointers$/,
    why: 'follows any number of pointers for every name',
  },
  {
    id: 'overlap',
    kind: 'only-peer',
    reason: /^labels run on into the name that points to them$/,
    why: 'lets labels that a pointer leads to run on over that pointer',
  },
  {
    id: 'foreign-data',
    kind: 'only-we',
    reason: /./,
    holds: foreignData,
    why: 'decodes data of types that we step over, and throws on what it finds there',
  },
  {
    id: 'foreign-data-read',
    kind: 'otherwise',
    reason: /./,
    holds: foreignData,
    why: 'goes on where its decoder of the data ended: what follows such a record is read at another place',
  },
  {
    id: 'odd-octets',
    kind: 'otherwise',
    reason: /of odd octets$/,
    why: 'gives names as text in UTF-8, joined by dots: a dot in a label and octets over 127 are lost',
  },
  {
    id: 'cache-flush',
    kind: 'otherwise',
    reason: /^class.* with the top bit set$/,
    why: 'takes the top bit of the class for the flag of multicast DNS',
  },
];

const dnspython: readonly Omit<KnownDifference, 'peer'>[] = [
  {
    id: 'questions',
    kind: 'only-peer',
    reason: /^QDCOUNT is not 1$/,
    why: 'reads any number of questions (RFC 9619 came later)',
  },
  {
    id: 'header-pointer',
    kind: 'only-peer',
    reason: /^pointer into the header$/,
    why: 'lets a pointer lead into the header, where the octets read as labels',
  },
  {
    id: 'pointers',
    kind: 'only-peer',
    reason: /^too many pointers$/,
    why: 'follows as many pointers as lead backwards, for every name',
  },
  {
    id: 'overlap',
    kind: 'only-peer',
    reason: /^labels run on into the name that points to them$/,
    why: 'lets labels that a pointer leads to run on over that pointer, as far as the data that it stands in',
  },
  {
    id: 'tsig',
    kind: 'only-we',
    reason: /^(BadTSIG|UnknownTSIGKey|FormError|SyntaxError|throws \w+)$/,
    holds: signed,
    why: 'wants a TSIG to be the last record and to know its key; for us it is a record like any other that is not used',
  },
  {
    id: 'foreign-data',
    kind: 'only-we',
    reason: /^(FormError|BadLabelType|BadPointer|SyntaxError|throws \w+)$/,
    holds: foreignData,
    why: 'decodes data of types that we step over, and refuses what it finds there',
  },
];

export const knownDifferences: readonly KnownDifference[] = [
  ...dnsPacket.map((row) => ({ ...row, peer: 'dns-packet' as const })),
  ...dnspython.map((row) => ({ ...row, peer: 'dnspython' as const })),
];

/** The row that a difference falls into; undefined: none. */
export function classify(
  peer: string,
  comparison: Comparison,
  ours: ReadMessage | string,
): KnownDifference | undefined {
  if (comparison.kind === 'same') return undefined;
  return knownDifferences.find(
    (row) =>
      row.peer === peer &&
      row.kind === comparison.kind &&
      row.reason.test(comparison.reason) &&
      (row.holds === undefined || (typeof ours !== 'string' && row.holds(ours))),
  );
}
