/** Flows of a sandbox in the connection tracking table (ctnetlink): read, handed on to a new policy, or cut. */
import { SyscallError } from '#reference/base/syscalls.ts';
import { formatAddress } from '../decisions/pin-address/ip-address.ts';
import type { Flow } from '../decisions/ruleset/admits.ts';
import { attribute, attributesOf, type NetlinkSession, type Request } from './netlink.ts';

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_NEW = (NFNL_SUBSYS_CTNETLINK << 8) | 0;
const IPCTNL_MSG_CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_MARK = 8;
const CTA_ID = 12;
const CTA_MARK_MASK = 21;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_PROTO_ICMP_TYPE = 5;
const CTA_PROTO_ICMPV6_TYPE = 8;
const sources = [1, 3] as const;
const destinations = [2, 4] as const;

export interface StandingFlow {
  readonly flow: Flow;
  readonly mark: number;
  readonly family: number;
  /** As the kernel gave them: what names the entry. */
  readonly tuple: Buffer;
  readonly id: Buffer;
}

function uint32be(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

const header = (family = 0) => Buffer.from([family, 0, 0, 0]);
const marked = (mark: number) => [
  attribute(CTA_MARK, uint32be(mark)),
  attribute(CTA_MARK_MASK, uint32be(0xffffffff)),
];

const cutRequest = (mark: number): Request => ({
  type: IPCTNL_MSG_CT_DELETE,
  flags: 0,
  body: Buffer.concat([header(), ...marked(mark)]),
});

/** Deletes every entry that carries the mark, both families. */
export function cutFlows(netfilter: NetlinkSession, mark: number): void {
  netfilter.request('cut the flows of a policy', cutRequest(mark));
}

export function cutFlowsInBackground(netfilter: NetlinkSession, mark: number): Promise<void> {
  return netfilter.requestInBackground('cut the flows of a policy', cutRequest(mark));
}

/** Entries that carry the mark; without one, all. */
export function flowsOf(netfilter: NetlinkSession, mark: number | null): StandingFlow[] {
  const body = Buffer.concat([header(), ...(mark === null ? [] : marked(mark))]);
  return netfilter.dump('list flows', IPCTNL_MSG_CT_GET, body).flatMap(readFlow);
}

/** Its next packets pass as those of another policy, in both directions. false: it has ended. */
export function handOn(netfilter: NetlinkSession, flow: StandingFlow, mark: number): boolean {
  return unlessEnded(() =>
    netfilter.request('hand a flow on to the new policy', {
      type: IPCTNL_MSG_CT_NEW,
      flags: 0,
      body: Buffer.concat([header(flow.family), named(flow), ...marked(mark)]),
    }),
  );
}

/** By tuple and identity: an entry that took its place since is left alone. */
export function cutFlow(netfilter: NetlinkSession, flow: StandingFlow): boolean {
  return unlessEnded(() =>
    netfilter.request('cut a flow', {
      type: IPCTNL_MSG_CT_DELETE,
      flags: 0,
      body: Buffer.concat([header(flow.family), named(flow), attribute(CTA_ID, flow.id)]),
    }),
  );
}

const named = ({ tuple }: StandingFlow) => attribute(CTA_TUPLE_ORIG | 0x8000, tuple);

function unlessEnded(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ENOENT') return false;
    throw error;
  }
}

interface Tuple {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpType: number | null;
}

function readTuple(bytes: Buffer): Tuple {
  const parts = attributesOf(bytes);
  const addresses = attributesOf(parts.get(CTA_TUPLE_IP) ?? Buffer.alloc(0));
  const proto = attributesOf(parts.get(CTA_TUPLE_PROTO) ?? Buffer.alloc(0));
  const address = (types: readonly number[]) => {
    const found = types.map((type) => addresses.get(type)).find((value) => value !== undefined);
    return found === undefined ? '' : formatAddress(found);
  };
  const port = (type: number) => proto.get(type)?.readUInt16BE(0) ?? 0;
  const icmp = proto.get(CTA_PROTO_ICMP_TYPE) ?? proto.get(CTA_PROTO_ICMPV6_TYPE);
  return {
    source: address(sources),
    destination: address(destinations),
    protocol: proto.get(CTA_PROTO_NUM)?.readUInt8(0) ?? 0,
    sourcePort: port(CTA_PROTO_SRC_PORT),
    destinationPort: port(CTA_PROTO_DST_PORT),
    icmpType: icmp?.readUInt8(0) ?? null,
  };
}

function readFlow(payload: Buffer): StandingFlow[] {
  const attributes = attributesOf(payload.subarray(4));
  const tuple = attributes.get(CTA_TUPLE_ORIG);
  const reply = attributes.get(CTA_TUPLE_REPLY);
  const id = attributes.get(CTA_ID);
  if (tuple === undefined || reply === undefined || id === undefined) return [];
  const { source: answeredBy, sourcePort: answeredFrom } = readTuple(reply);
  const original = readTuple(tuple);
  return [
    {
      flow: { ...original, answeredBy, answeredFrom },
      mark: attributes.get(CTA_MARK)?.readUInt32BE(0) ?? 0,
      family: payload.readUInt8(0),
      tuple,
      id,
    },
  ];
}
