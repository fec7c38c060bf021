/** What a guest gets out of an answer, by npm's dns-packet: a decoder that nobody here wrote. */
import * as dnsPacket from 'dns-packet';

export interface DecodedAnswer {
  readonly rcode: string;
  readonly truncated: boolean;
  /** Addresses of A and AAAA records in ANSWER, with their TTL. */
  readonly addresses: readonly { readonly address: string; readonly ttl: number }[];
  /** Record types in ANSWER other than CNAME, A and AAAA, and everything but OPT in the other sections. */
  readonly foreign: readonly string[];
}

/** dns-packet names the four bits of the header alone; an OPT has those in front of them (RFC 6891 section 6.1.3). */
function codeName(packet: dnsPacket.DecodedPacket): string {
  const opt = packet.additionals?.find((record) => record.type === 'OPT');
  const own = (packet as { rcode?: string }).rcode ?? 'NOERROR';
  if (opt === undefined || opt.extendedRcode === 0) return own;
  return opt.extendedRcode === 1 && own === 'NOERROR'
    ? 'BADVERS'
    : `${own} with ${opt.extendedRcode} in front`;
}

/** null when dns-packet cannot read the message at all. */
export function decodeAnswer(hex: string): DecodedAnswer | null {
  let packet: dnsPacket.DecodedPacket;
  try {
    packet = dnsPacket.decode(Buffer.from(hex, 'hex'));
  } catch (error) {
    // dns-packet throws plain errors on what it cannot read: that is its verdict.
    if (error instanceof Error) return null;
    throw error;
  }
  const answers = packet.answers ?? [];
  const addresses = answers.flatMap((record) =>
    record.type === 'A' || record.type === 'AAAA' ? [{ address: record.data, ttl: record.ttl ?? 0 }] : [],
  );
  const allowed = ['A', 'AAAA', 'CNAME'];
  const foreign = [
    ...answers.filter(({ type }) => !allowed.includes(type)).map(({ type }) => `ANSWER ${type}`),
    ...(packet.authorities ?? []).map(({ type }) => `AUTHORITY ${type}`),
    ...(packet.additionals ?? [])
      .filter(({ type }) => type !== 'OPT')
      .map(({ type }) => `ADDITIONAL ${type}`),
  ];
  const rcode = codeName(packet);
  return { rcode, truncated: packet.flag_tc === true, addresses, foreign };
}
