/**
 * An attack on the datapath: what a hostile guest, neighbour or tenant sends, and what would show that it worked.
 * Invariant: it knows neither subject nor provider; the same attack runs against anybody's datapath.
 */
import type { Reading } from '#kvm-lab/frames/read-frame.ts';
import type { GuestEnd, HuskPod, LabNeed, Reached } from '#kvm-lab/providers/network-lab.ts';
import type { PolicyOrder } from '#properties/subjects/datapath-protocol.ts';
import type { BuiltInSubject, Engine } from '#properties/subjects/subject.ts';

/** Where the attack takes place. */
export interface Stage {
  readonly pod: HuskPod;
  readonly guest: GuestEnd;
  /** A second sandbox in the same pod; only where the attack asks for one. */
  readonly sibling: GuestEnd | null;
  /** Seeded: an integer from 0 to below `bound`. */
  random(bound: number): number;
  /** A source port that nothing else of the run uses. */
  port(): number;
  pause(ms: number): Promise<void>;
  /** When the guests have put on the wire what they were told to, and have told what came until then. */
  settled(): Promise<void>;
}

/** The path that the attack takes, shown to be open before and after. */
export type ControlName = 'resolver' | 'allowed host' | 'arp' | 'inbound reply' | 'allowed host by IPv6';

export type Seen = 'tap' | 'sibling' | 'uplink';

/** `no-input`: the subject has no such guest; nothing is run. */
export type Cell = 'holds' | 'falsified' | 'no-input';

export interface Attack {
  /** `family.name`; public, never reused. */
  readonly id: string;
  /** The claim of docs/claims.md that it would falsify. */
  readonly claim: `F4.${string}`;
  readonly statement: string;
  /** RFC, kernel document or finding that the attack comes from. */
  readonly source: string;
  readonly control: ControlName;
  /** What not every lab has: without it the attack is unsupported there. */
  readonly needs?: LabNeed;
  readonly sibling?: true;
  /** The guest's, when it is not the usual one. */
  readonly policy?: PolicyOrder;
  /** The guest has IPv6, and the pod forwards it. */
  readonly ipv6?: true;
  /** Before the tables are read: what is allowed and must be there first. */
  prepare?(stage: Stage): Promise<void>;
  /** Sent twice within the window, from the guest. */
  frames?(stage: Stage): readonly Buffer[];
  /** What frames alone cannot say. */
  act?(stage: Stage): Promise<void>;
  /** What success would be, in words. Whatever else happens unexplained counts too. */
  readonly shows: string;
  /** Traffic that the attack may rightly cause: what the policy allows. */
  explains?(reading: Reading, seen: Seen): boolean;
  explainsFlow?(line: string): boolean;
  explainsReached?(reached: Reached): boolean;
  /** Answers to groups that count, although the kernel sends such of its own accord. */
  groupAnswersCount?(reading: Reading): boolean;
  /** Effects that only this attack can see, in words. */
  also?(stage: Stage): readonly string[] | Promise<readonly string[]>;
  /** The policy is not the usual one afterwards: the control cannot pass again. */
  readonly closesControl?: true;
  readonly expected: Readonly<Record<BuiltInSubject, Cell>>;
  /** Mutants of the reference (properties/mutants) that it falsifies: needed where it falsifies no built-in subject. */
  readonly falsifiedBy?: readonly string[];
  /** Who started the guest, if not a husk pod. */
  readonly engine?: Engine;
}

/** The usual cells: the published input chain stops what comes from the guest's own IPv4 address, and no more. */
export const cells = {
  /** Open before and after the published fix. */
  residual: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  /** What the published fix was written for. */
  fixed: { vulnerable: 'falsified', published: 'holds', reference: 'holds' },
  /** Never open: kept so that a change that opens it is seen. */
  closed: { vulnerable: 'holds', published: 'holds', reference: 'holds' },
  /** Of the option IPv6, which only the reference has. */
  optional: { vulnerable: 'no-input', published: 'no-input', reference: 'holds' },
} as const satisfies Record<string, Record<BuiltInSubject, Cell>>;
