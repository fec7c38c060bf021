/**
 * The published datapath in the raw-forkd engine: in the node's own namespace, without the input chain. findings.md F4:
 * "husk path only (in the raw-forkd engine a guest still reaches the node's own listeners)".
 */
import { serveDatapath } from '../datapath-protocol.ts';
import { CommandDatapath } from './datapath.ts';

serveDatapath((pod, step, guestSide) => new CommandDatapath(pod, step, { guestSide, inputChain: false }));
