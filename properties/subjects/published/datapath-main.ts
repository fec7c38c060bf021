/** The published datapath as a harness drives it. */
import { serveDatapath } from '../datapath-protocol.ts';
import { CommandDatapath } from './datapath.ts';

serveDatapath((pod, step, guestSide) => new CommandDatapath(pod, step, { guestSide, inputChain: true }));
