/**
 * Interleavings that are known to be dangerous, told command by command: judged before the generated ones,
 * which would meet them once in a hundred thousand cases.
 */
import type { HuskBehaviour } from '../models/husk-host.ts';
import {
  createsClaim,
  deletesClaim,
  dies,
  labelsBystander,
  losesAddress,
  relabels,
  squatsToken,
  stopsAt,
  syncsAll,
  type WorldCase,
  type WorldCommand,
  worksOn,
} from './claim-commands.ts';

const [a, b] = [0, 1];

function story(husks: readonly HuskBehaviour[], ...commands: readonly WorldCommand[]): WorldCase {
  return { husks, commands, toString: () => `husks ${husks.join(', ')}: ${commands.map(String).join(',')}` };
}

const two: readonly HuskBehaviour[] = ['honest', 'honest'];

/** Processes alone: two controllers, crashes, answers that are lost. */
const ofProcesses = {
  /** The husk has the secrets, nobody knows, and then it cannot be reached. */
  deliveredThenUnreachable: story(
    two,
    stopsAt(a, 0, 'deliver', 'crash after'),
    stopsAt(a, 0, 'dial', 'never arrived'),
    worksOn(a, 0),
  ),
  /** One of the husks has the secrets, nobody knows, and then it dies: whichever it was, one of two stories. */
  deliveredThenFirstDies: story(two, stopsAt(a, 0, 'deliver', 'crash after'), dies(0), worksOn(a, 0)),
  deliveredThenSecondDies: story(two, stopsAt(a, 0, 'deliver', 'crash after'), dies(1), worksOn(a, 0)),
  /** A gives its husk up for good reasons, and writes so after B has delivered to it. */
  givenUpThoughTakenOver: story(
    two,
    stopsAt(a, 0, 'dial', 'never arrived'),
    stopsAt(a, 0, 'spend', 'waits'),
    worksOn(b, 0),
    worksOn(a, 0),
  ),
  /** A and B intend the same husk; B's intent stands and B delivers, A believes that the intent is its own. */
  twoIntents: story(
    two,
    stopsAt(a, 0, 'intend', 'waits'),
    stopsAt(b, 0, 'deliver', 'waits'),
    stopsAt(a, 0, 'dial', 'never arrived'),
    stopsAt(b, 0, 'publish', 'waits', 'not at all'),
    worksOn(a, 0),
  ),
  /** B still sees the first husk in the claim, and the second one in the ledger. */
  staleClaimFreshLedger: story(
    two,
    stopsAt(a, 0, 'dial', 'never arrived'),
    syncsAll(b),
    worksOn(a, 0),
    worksOn(b, 0, 'the ledger alone'),
  ),
  /** Two claims want the only husk; the slower mark arrives when the other claim is served. */
  lateMark: story(['honest'], stopsAt(a, 0, 'mark', 'waits'), worksOn(a, 1), worksOn(a, 0)),
  /** kill -9 right after the mark, and right after the delivery. */
  crashAfterMark: story(two, stopsAt(a, 0, 'mark', 'crash after'), worksOn(a, 0)),
  crashAfterDelivery: story(two, stopsAt(a, 0, 'deliver', 'crash after'), worksOn(a, 0)),
} as const;

/** … and authors that delete their claims and make them again. */
const ofAuthors = {
  /** B has not seen the new claim yet, but what the ledger holds for it. */
  unseenClaim: story(
    two,
    deletesClaim(0),
    worksOn(a, 0),
    syncsAll(b),
    createsClaim(0),
    worksOn(a, 2),
    worksOn(b, 2, 'the ledger alone'),
  ),
  /** The deletion of the pod never arrives. */
  deletionLost: story(
    two,
    worksOn(a, 0),
    deletesClaim(0),
    stopsAt(a, 0, 'delete-pod', 'never arrived'),
    worksOn(a, 0),
  ),
} as const;

/** … and tenants with the stock `edit` role. */
const ofTenants = {
  /** A tenant takes the label off a husk in use; the next claim looks for one. */
  labelTakenOff: story(['honest'], worksOn(a, 0), relabels(0, null), worksOn(a, 1)),
  /** The husk dies while it is about to be dialled, and a tenant's pod gets its address. */
  addressInherited: story(
    ['honest'],
    stopsAt(a, 0, 'dial', 'waits'),
    losesAddress(0),
    worksOn(a, 0, 'not at all'),
  ),
} as const;

export const processStories: readonly WorldCase[] = Object.values(ofProcesses);
export const authorStories: readonly WorldCase[] = [...processStories, ...Object.values(ofAuthors)];
export const tenantStories: readonly WorldCase[] = [...authorStories, ...Object.values(ofTenants)];

/** … and objects of tenants under names that a controller would predict. */
const ofSquatters = {
  /** A pod of somebody else carries the name of a claim as its label; the claim is deleted. */
  bystanderLabelled: story(two, worksOn(a, 0), labelsBystander(0), deletesClaim(0), worksOn(a, 0)),
  /** The name of a token is taken before its claim is served. */
  tokenNameTaken: story(two, squatsToken(0), worksOn(a, 0)),
} as const;

export const squatterStories: readonly WorldCase[] = [...Object.values(ofSquatters), ...tenantStories];
