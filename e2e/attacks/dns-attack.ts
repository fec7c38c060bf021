/**
 * An attack on the DNS proxy: what a hostile guest asks, what a hostile upstream and an off-path forger answer, and
 * what would show that it worked.
 * Invariant: it knows neither subject nor provider; the same attack runs against anybody's proxy.
 */

import type { DnsPod, ScriptedServer, UpstreamScript } from '#kvm-lab/providers/dns-lab.ts';
import type { GuestEnd, HonestGuest } from '#kvm-lab/providers/network-lab.ts';
import type { DecodedAnswer } from '#properties/oracles/dns/answer-oracle.ts';
import type { DnsPolicyOrder } from '#properties/subjects/dnsproxy-protocol.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import type { Cell } from './attack.ts';

export interface AskOptions {
  /** 1: A, 28: AAAA; A unless said. */
  readonly type?: number;
  readonly from?: GuestEnd;
  /** Instead of a stub's plain query for the name. */
  readonly message?: Uint8Array;
  readonly deadlineMs?: number;
}

export interface ConnectOptions {
  readonly port?: number;
  readonly from?: GuestEnd;
  readonly must?: true;
}

/** What the guest got, and when; `message` null: nothing within the deadline. */
export interface Got {
  readonly atMs: number;
  readonly message: Buffer | null;
  /** By npm's dns-packet; null when it got nothing, or nothing that can be read. */
  readonly decoded: DecodedAnswer | null;
  readonly rcode: string;
  readonly addresses: readonly { readonly address: string; readonly ttl: number }[];
}

export interface DnsStage {
  readonly pod: DnsPod;
  readonly guest: GuestEnd;
  /** A second sandbox in the same pod; only where the attack asks for one. */
  readonly sibling: GuestEnd | null;
  /** The first is preferred. */
  readonly servers: readonly [ScriptedServer, ScriptedServer];
  readonly policy: DnsPolicyOrder;
  /** What both servers say of the name. */
  script(name: string, script: UpstreamScript): void;
  /** Seeded: an integer from 0 to below `bound`. */
  random(bound: number): number;
  /** A name below the allowed zone that nobody asked for before. */
  name(word?: string): string;
  pause(ms: number): Promise<void>;
  /** A question by UDP as a frame from the guest; waits for its answer. */
  ask(name: string, options?: AskOptions): Promise<Got>;
  /** The same without waiting. */
  send(name: string, options?: AskOptions & { readonly fromPort?: number; readonly id?: number }): void;
  /** What a guest was told, by whatever way: held against the kernel's sets at once. */
  heard(from: GuestEnd, message: Buffer): Got;
  /** A source port that nothing else of the run uses. */
  port(): number;
  /** A kernel of its own behind the guest's tap. */
  honest(): HonestGuest;
  /**
   * Whether a connection from the guest was accepted within the window of a denial; `must`: within a time that a
   * loaded machine needs. Told to the judge either way.
   */
  connect(to: string, options?: ConnectOptions): Promise<boolean>;
  /** Tries, and goes on at once: the judge sees what comes of it. */
  tryConnect(to: string, port?: number): number | null;
  /** It happened although it must not. */
  wrong(what: string): void;
  /** For the reader of the record. */
  say(what: string): void;
}

/** The path that the attack takes, shown to be open before and after: a question, a pin, a connection by it. */
export type DnsControlName = 'pinned A' | 'pinned AAAA' | 'pinned A by TCP';

export interface DnsAttack {
  /** `dns-family.name`; public, never reused. */
  readonly id: `dns-${string}`;
  /** The claim of docs/claims.md that it would falsify. */
  readonly claim: `F1.${string}`;
  readonly statement: string;
  /** RFC or finding that the attack comes from. */
  readonly source: string;
  readonly control?: DnsControlName;
  readonly sibling?: true;
  /** The option IPv6 is on; the guest has IPv6 where the subject has guests with IPv6. */
  readonly ipv6?: true;
  /** Of the guest's, where it is not the usual one. */
  readonly policy?: Partial<DnsPolicyOrder>;
  /** Of pins, where the attack waits for one to expire: 30 s otherwise. */
  readonly ttlFloorSeconds?: number;
  /** What success would be, in words. */
  readonly shows: string;
  act(stage: DnsStage): Promise<void>;
  /** Addresses that may rightly be pinned and reached, beside the control's. All others count. */
  readonly mayPin?: readonly string[];
  /** An answer with an address that is not pinned is this attack's to judge, or the point of another one. */
  readonly answersMayBeUnpinned?: true;
  /** The control cannot pass again, whoever is attacked: the attack takes the path away. */
  readonly closesControl?: true;
  /** The one attack of its claim that is shown where there is room for one. */
  readonly showpiece?: true;
  readonly expected: Readonly<Record<BuiltInSubject, Cell>>;
  /** A mutant of the reference that this attack must catch, over the wire. */
  readonly falsifiedBy?: readonly string[];
}
