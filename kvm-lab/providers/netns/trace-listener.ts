/**
 * What nf_tables says of each packet that is traced: every rule that matched, every policy that applied, in
 * order (NFNLGRP_NFTRACE).
 */
import { number32, readAttributes, text } from '#properties/oracles/netlink/attributes.ts';
import { NetlinkSocket, netlinkNetfilter } from '#properties/oracles/netlink/netlink-socket.ts';
import { messages } from '#properties/oracles/nft/netlink/constants.ts';
import { readVerdict } from '#properties/oracles/nft/netlink/expressions.ts';
import type { Verdict } from '#properties/oracles/nft/ruleset.ts';

const traceGroup = 9;
const bufferBytes = 1 << 28;
const types = ['unspecified', 'policy', 'return', 'rule'] as const;

export interface TraceEvent {
  readonly packet: number;
  readonly type: (typeof types)[number];
  readonly table: string;
  readonly chain: string;
  /** 0: of no rule. */
  readonly handle: number;
  readonly verdict: Verdict['code'];
  readonly target: string;
  readonly output: number;
  /** The beginning of the packet's headers, with a chain's first event. */
  readonly link: Buffer | null;
  readonly network: Buffer | null;
  readonly transport: Buffer | null;
}

export class TraceListener {
  readonly #socket = new NetlinkSocket(netlinkNetfilter);

  constructor() {
    this.#socket.receiveBuffer(bufferBytes);
    this.#socket.join(traceGroup);
  }

  close(): void {
    this.#socket.close();
  }

  /** What has arrived since the last call. Throws when the kernel had no room for some of it. */
  take(): TraceEvent[] {
    const events: TraceEvent[] = [];
    for (;;) {
      const arrived = this.#socket.poll();
      if (arrived === null) return events;
      for (const { type, body } of arrived) {
        if (type === messages.trace) events.push(readEvent(body.subarray(4)));
      }
    }
  }
}

function readEvent(body: Buffer): TraceEvent {
  const attributes = readAttributes(body);
  const type = types[number32(attributes, 4) ?? 0] ?? 'unspecified';
  const verdict: Verdict =
    type === 'policy'
      ? { code: (number32(attributes, 16) ?? 1) === 0 ? 'drop' : 'accept' }
      : readTraceVerdict(attributes);
  return {
    packet: number32(attributes, 6) ?? 0,
    type,
    table: text(attributes, 1),
    chain: text(attributes, 2),
    handle: Number(attributes.get(3)?.readBigUInt64BE(0) ?? 0n),
    verdict: verdict.code,
    target: 'chain' in verdict ? verdict.chain : '',
    output: number32(attributes, 12) ?? 0,
    link: attributes.get(7) ?? null,
    network: attributes.get(8) ?? null,
    transport: attributes.get(9) ?? null,
  };
}

/** NFTA_TRACE_VERDICT holds what NFTA_DATA_VERDICT would. */
function readTraceVerdict(attributes: ReadonlyMap<number, Buffer>): Verdict {
  const verdict = attributes.get(5);
  return verdict === undefined ? { code: 'continue' } : readVerdict(new Map([[2, verdict]]));
}
