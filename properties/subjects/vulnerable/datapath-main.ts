/** The datapath before the fix, as a harness drives it: findings.md F4, "filtering on the forward hook only". */
import { serveDatapath } from '../datapath-protocol.ts';
import { CommandDatapath } from '../published/datapath.ts';

serveDatapath((pod, step, guestSide) => new CommandDatapath(pod, step, { guestSide, inputChain: false }));
