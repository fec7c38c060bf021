/** The reference's datapath as a harness drives it: stepped before each request that changes the kernel. */
import { Datapath } from '#reference/datapath/datapath.ts';
import { NetlinkSession } from '#reference/datapath/netlink.ts';
import { NftSession } from '#reference/datapath/nf-tables/nft-session.ts';
import { type Step, serveDatapath } from '../datapath-protocol.ts';

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

serveDatapath((pod, step) => {
  if (!stepped) stepBefore(step);
  stepped = true;
  const datapath = new Datapath(pod);
  return {
    open: (network, policy) => datapath.open(network, policy),
    change: (tap, policy) => datapath.change(tap, policy),
    pin: (pins) => {
      if (datapath.addPins(pins).includes(false)) throw new Error('a pin was refused');
    },
    close: (tap) => datapath.close(tap),
    shutDown: () => datapath.shutDown(),
  };
});
