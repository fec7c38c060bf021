/** Judges one case whole: the guest's message, what went upstream, what came back, and each beginning where asked. */
import type { DnsConfig } from '../../models/dns-session.ts';
import type { Codec, CodecPolicy } from './codec.ts';
import type { Finding } from './finding.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { type GuestContext, judgeGuest, judgeGuestWork } from './judge-guest.ts';
import { judgeReading, judgeTruncation } from './judge-message.ts';
import { judgeExchange, judgeReplyWork } from './judge-reply.ts';

/** Beginnings are quadratic: of longer messages they are not tried. */
const longestCut = 600;
/** A proxy counts, slowly: every message that is long, and one short one in so many. */
const countedOctets = 1_000;
const countedEvery = 16;

export interface FuzzTotals {
  cases: number;
  /** Messages judged, beginnings included. */
  messages: number;
  accepted: number;
  mostLooks: number;
  /** The most looks for each octet of a message longer than a packet. */
  mostLooksPerOctet: number;
  families: Record<string, number>;
}

export function newTotals(): FuzzTotals {
  return { cases: 0, messages: 0, accepted: 0, mostLooks: 0, mostLooksPerOctet: 0, families: {} };
}

export class CaseJudge {
  readonly totals = newTotals();
  readonly #codec: Codec;
  readonly #policies = new Map<DnsConfig, CodecPolicy>();
  /** Told of each message before it is judged, so that a hang names it. */
  readonly #before: (octets: Uint8Array) => void;

  constructor(codec: Codec, before: (octets: Uint8Array) => void = () => undefined) {
    this.#codec = codec;
    this.#before = before;
  }

  judge(input: FuzzCase): Finding[] {
    const findings: Finding[] = [];
    const { config, transport, random, guest, reply } = input;
    const context: GuestContext = {
      codec: this.#codec,
      config,
      policy: this.#policyOf(config),
      transport,
      random: { id: random.id, caseBits: Buffer.from(random.caseBits, 'hex') },
    };
    this.totals.cases += 1;
    this.totals.families[input.family] = (this.totals.families[input.family] ?? 0) + 1;
    this.#begin(guest);
    judgeReading(this.#codec, guest, findings);
    const query = judgeGuest(context, guest, findings);
    if (this.#counts(guest)) this.#worked(judgeGuestWork(context, guest, findings), guest);
    if (reply === null || query === null) {
      if (input.cuts) this.#cuts(context, guest, findings);
      return findings;
    }
    const octets = reply.octetsFor(query);
    const exchange = { guest, query, reply: octets, remainingSeconds: input.remainingSeconds };
    this.#begin(octets);
    judgeReading(this.#codec, octets, findings);
    judgeExchange(context, exchange, findings);
    if (this.#counts(octets)) this.#worked(judgeReplyWork(context, exchange, findings), octets);
    if (input.cuts && octets.length <= longestCut)
      this.totals.messages += judgeTruncation(this.#codec, octets, findings);
    return findings;
  }

  #policyOf(config: DnsConfig): CodecPolicy {
    const known = this.#policies.get(config) ?? this.#codec.compileDnsPolicy(config);
    this.#policies.set(config, known);
    return known;
  }

  #begin(octets: Uint8Array): void {
    this.#before(octets);
    this.totals.messages += 1;
  }

  #counts({ length }: Uint8Array): boolean {
    return length > countedOctets || this.totals.messages % countedEvery === 0;
  }

  #worked(looks: number, { length }: Uint8Array): void {
    this.totals.mostLooks = Math.max(this.totals.mostLooks, looks);
    if (length > countedOctets)
      this.totals.mostLooksPerOctet = Math.max(this.totals.mostLooksPerOctet, looks / length);
  }

  /** Each beginning of the guest's message is a message of a guest too. */
  #cuts(context: GuestContext, guest: Uint8Array, findings: Finding[]): void {
    if (guest.length > longestCut) return;
    this.totals.messages += judgeTruncation(this.#codec, guest, findings);
    for (let length = 0; length < guest.length; length++)
      judgeGuest(context, guest.subarray(0, length), findings);
  }
}
