/** F4.engines: wherever the guest was started. */
import { type ClaimStatement, residualCells } from '../claim.ts';

export const claim: ClaimStatement = {
  id: 'F4.engines',
  statement: 'The same holds in raw-forkd and sandbox-server: no guest reaches a node listener.',
  source:
    'findings.md F4, published: "husk path only (in the raw-forkd engine a guest still reaches the node’s own listeners)"',
  blindSpot:
    'the wiring of a namespace is judged, made by the lab as the engines are to make it: that forkd and sandbox-server put each guest behind it comes with them; sandbox-server as published was not observed',
  expected: { kernel: residualCells, vm: residualCells },
};
