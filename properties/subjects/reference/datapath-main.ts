/** The reference's datapath as a harness drives it: stepped before each request that changes the kernel. */
import { closeSync, openSync } from 'node:fs';
import { Datapath } from '#reference/datapath/datapath.ts';
import type { GuestLink } from '#reference/datapath/link.ts';
import { NetlinkSession } from '#reference/datapath/netlink.ts';
import { NftSession } from '#reference/datapath/nf-tables/nft-session.ts';
import { type Step, serveDatapath } from '../datapath-protocol.ts';
import { makeVeth } from '../guest-veth.ts';

/** The sessions are the only way to the kernel; the step comes before what they are asked for. */
function stepBefore(step: Step): void {
  const { request } = NetlinkSession.prototype;
  NetlinkSession.prototype.request = function (what, ...rest) {
    step(what);
    request.call(this, what, ...rest);
  };
  const { run } = NftSession.prototype;
  NftSession.prototype.run = function (transaction) {
    step('nft transaction');
    run.call(this, transaction);
  };
}

let stepped = false;

/** The harness has the other end already: a descriptor of nothing serves for what is returned. */
const vethLink = (guestSide: string): GuestLink => ({
  kind: 'veth',
  create: (name) => {
    makeVeth(name, guestSide);
    return openSync('/dev/null', 'r');
  },
});

serveDatapath((pod, step, guestSide) => {
  if (!stepped) stepBefore(step);
  stepped = true;
  const datapath = guestSide === null ? new Datapath(pod) : new Datapath(pod, vethLink(guestSide));
  return {
    open: (network, policy) => {
      const { fd } = datapath.open(network, policy);
      if (guestSide === null) return { fd };
      closeSync(fd);
      return { fd: null };
    },
    change: (tap, policy) => datapath.change(tap, policy),
    pin: (pins) => {
      if (datapath.addPins(pins).includes(false)) throw new Error('a pin was refused');
    },
    close: (tap) => datapath.close(tap),
    shutDown: () => datapath.shutDown(),
  };
});
