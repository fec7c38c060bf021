/**
 * What an attack sees of a lab, whoever provides it: a husk pod with its guests, and the world behind the
 * uplink. Everything that happens is kept with its time, so that a denial can be "never during the window".
 */
import type { PinOrder, PolicyOrder, SandboxPlace } from '#properties/subjects/datapath-protocol.ts';
import type { Unsupported } from './unsupported.ts';

export interface SeenFrame {
  /** performance.now() when it was read. */
  readonly atMs: number;
  /** Index of the interface. */
  readonly interface: number;
  /** Sent by the one who watches, not received. */
  readonly outgoing: boolean;
  readonly frame: Buffer;
}

/** A rule or a policy and what it said of a packet; `rule` null: the chain's policy. */
export interface TracedVerdict {
  readonly chain: string;
  /** As nft(8) lists it. */
  readonly rule: string | null;
  readonly verdict: string;
}

export interface TracedPacket {
  /** The beginning of the frame. */
  readonly headers: Buffer;
  /** In order; empty: no rule looks at it. */
  readonly verdicts: readonly TracedVerdict[];
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** A planted listener was reached. */
export interface Reached {
  readonly atMs: number;
  readonly what: 'accepted' | 'data' | 'datagram';
  /** `control`, `api`, `resolver`, `upstream`, or `world`. */
  readonly listener: string;
  readonly local: Place;
  readonly peer: Place;
  readonly text: string;
}

/** The VMM's end of a tap: the hostile guest. */
export interface GuestEnd {
  readonly place: SandboxPlace;
  /** Whether the kernel took it: never while the tap is down. */
  send(frame: Uint8Array): boolean;
  /** Sent and received, in order. */
  readonly frames: readonly SeenFrame[];
  /** Frames beyond what is kept. */
  readonly beyond: number;
  /** When the guest has put on the wire what it was told to send. */
  sent(): Promise<void>;
  /** The same, and it has told what came until then. */
  settled(): Promise<void>;
  /** The VMM's process, where there is one. */
  readonly machine?: number;
  close(): void | Promise<void>;
}

/** Who is behind the taps, where it is not the harness itself. */
export interface GuestSource {
  readonly name: string;
  /** A guest behind that tap, whose descriptor stays the caller's. */
  behind(tapFd: number, place: SandboxPlace): Promise<GuestEnd>;
  honest(end: GuestEnd): HonestGuest;
}

/** Each entry in one line, without counters and clocks, so that two readings can be compared. */
export interface Tables {
  readonly routes: readonly string[];
  readonly addresses: readonly string[];
  readonly neighbors: readonly string[];
  /** Path MTUs and redirects that the kernel learned. */
  readonly exceptions: readonly string[];
  readonly flows: readonly string[];
}

export interface Probe {
  readonly name: 'kubelet probe' | 'controller dial';
  readonly latencyMs: number;
  /** null: it was answered. */
  readonly failure: string | null;
}

export type OnStep = (what: string) => Promise<'go' | 'kill'>;

export interface DatapathControl {
  /** The guest's end of a sandbox that stands now. With `onStep`, called before each change to the kernel. */
  open(network: SandboxPlace, policy: PolicyOrder, onStep?: OnStep): Promise<GuestEnd>;
  change(tap: string, policy: PolicyOrder, onStep?: OnStep): Promise<void>;
  pin(pins: readonly PinOrder[]): Promise<void>;
  close(tap: string, onStep?: OnStep): Promise<void>;
  /** The guest's end while `open` is still on its way; null when there is no tap yet. */
  grab(network: SandboxPlace): GuestEnd | null;
  /** `kill -9`, the VMM with it, then a new process in the same pod: what a kubelet does with a husk's container. */
  restart(): Promise<void>;
  /** Of a persistent tap, which nobody takes with him. */
  removeTap(tap: string): Promise<void>;
}

/** TCP and UDP by a kernel of its own behind the tap: an honest guest. */
export interface HonestGuest {
  /** What came back for `request`, or why nothing. */
  exchange(
    protocol: 'tcp' | 'udp',
    to: Place,
    request: Buffer,
    enough: (answer: Buffer) => boolean,
    deadlineMs: number,
  ): Promise<{ readonly answer: Buffer; readonly latencyMs: number } | { readonly refused: string }>;
  /** What its kernel has learned. */
  pathMtu(to: string): Promise<number>;
  close(): void;
}

export interface HuskPod {
  readonly datapath: DatapathControl;
  /** Of the pod's listeners. */
  readonly reached: readonly Reached[];
  readonly worldReached: readonly Reached[];
  /** Seen on the interfaces of the pod, and of the world. */
  readonly podFrames: readonly SeenFrame[];
  readonly worldFrames: readonly SeenFrame[];
  /** Where the resolver waits for answers from upstream. */
  readonly upstream: Place;
  /** Link-local addresses of the pod's interfaces. */
  linkLocal(name: string): string | null;
  interfaceNames(): ReadonlyMap<number, string>;
  tables(): Tables;
  ruleset(): string;
  /** From now on, what the kernel's own trace says of what comes in by tap and uplink. */
  trace(): { take(): TracedPacket[]; close(): void };
  /** A frame from a neighbour on the uplink. */
  sendFromUplink(frame: Uint8Array): void;
  readonly sentFromUplink: readonly Buffer[];
  /** From the pod itself, to what a tenant named or a neighbour claims. */
  sendFromPod(data: Uint8Array, to: Place): boolean;
  /** A dial from one of the world's addresses, with the local port that it asks for. */
  dialFromWorld(
    from: Place,
    to: Place,
    deadlineMs: number,
  ): Promise<{ answered: string | null; failure: string | null }>;
  probe(): Promise<Probe[]>;
  /** Where the probes and dials of the world came from, so far. */
  readonly probed: readonly Place[];
  honestGuest(end: GuestEnd): HonestGuest;
  /** Of the pod's interface: a smaller one than the tap's makes path MTU discovery work. */
  setUplinkMtu(octets: number): void;
  /** The unsafe sysctl that a guest with IPv6 needs. */
  forwardIpv6(): void;
  /** Where the namespaces of pod and world are held, for who looks that nothing is left of them. */
  readonly namespacePaths: readonly string[];
  /** What runs in the pod. */
  readonly processes: readonly number[];
  /** What runs the pod's guests, in none of its namespaces. */
  readonly machines: readonly number[];
  /** Takes what the kernel has ready, now. */
  drain(): void;
  close(): Promise<void>;
}

/** What an attack may need and not every lab has. */
export type LabNeed =
  | 'frames beyond the MTU'
  /** A guest at the tap while the datapath is still setting it up. */
  | 'a guest before its tap is handed over';

export interface NetworkLab {
  readonly name: string;
  /** Why it cannot be had in this lab; null when it can. */
  lacks(need: LabNeed): Unsupported | null;
  /** A pod whose sandbox is not yet opened; its datapath waits for orders. */
  freshPod(): Promise<HuskPod>;
  /** Done when nothing of it is left. */
  close(): Promise<void>;
}
