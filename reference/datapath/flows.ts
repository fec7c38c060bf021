/** Flows of a sandbox in the connection tracking table (ctnetlink): cut when no policy admits them any more. */
import { attribute, type NetlinkSession } from './netlink.ts';

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const CTA_MARK = 8;
const CTA_MARK_MASK = 21;

function uint32be(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Deletes every entry that carries the mark, both families. */
export function cutFlows(netfilter: NetlinkSession, mark: number): void {
  netfilter.request('cut the flows of a policy', {
    type: IPCTNL_MSG_CT_DELETE,
    flags: 0,
    body: Buffer.concat([
      Buffer.alloc(4),
      attribute(CTA_MARK, uint32be(mark)),
      attribute(CTA_MARK_MASK, uint32be(0xffffffff)),
    ]),
  });
}
