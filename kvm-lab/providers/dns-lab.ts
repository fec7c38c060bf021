/**
 * What an attack on the DNS proxy sees of a lab beyond a pod: the subject's proxy in that pod, the pins in the
 * kernel's sets, hostile upstream servers and an off-path forger in the world.
 */

import type { SandboxPlace } from '#properties/subjects/datapath-protocol.ts';
import type { DnsPolicyOrder } from '#properties/subjects/dnsproxy-protocol.ts';
import type { HuskPod, NetworkLab, Place } from './network-lab.ts';

/** An element of a sandbox's sets, as the kernel says. */
export interface KernelPin {
  readonly tap: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** What it was given, and what is left of it; null: it never expires. */
  readonly timeoutMs: number | null;
  readonly leftMs: number | null;
}

/** The kernel said that an element was added, extended or taken away. What expires is not said. */
export interface PinEvent {
  /** When it was read; it happened before. */
  readonly atMs: number;
  readonly what: 'added' | 'deleted';
  readonly pin: KernelPin;
}

/** A question that reached an upstream server. */
export interface UpstreamQuestion {
  readonly atMs: number;
  readonly server: Place;
  readonly from: Place;
  readonly transport: 'udp' | 'tcp';
  readonly message: Buffer;
  /** Of the first question, lower-cased, labels joined by dots; empty when there is none. */
  readonly name: string;
  readonly type: number;
}

export interface UpstreamReply {
  readonly message: Uint8Array;
  readonly afterMs?: number;
  /** Over TCP: cut before these octets of the stream, length included, and sent one piece every few milliseconds. */
  readonly splitAt?: readonly number[];
  /** Over TCP: the connection is closed after it. */
  readonly close?: true;
}

/** What a server does with a question; no reply is silence. `nth` counts the questions of that name and type from 0. */
export type UpstreamScript = (question: UpstreamQuestion, nth: number) => readonly UpstreamReply[];

export interface ScriptedServer {
  readonly place: Place;
  /** In order of arrival, bounded. */
  readonly questions: readonly UpstreamQuestion[];
  /** For a name in lower case; what no script is for goes to `otherwise`, which is silence at first. */
  script(name: string, script: UpstreamScript): void;
  otherwise(script: UpstreamScript): void;
  /** UDP and TCP are closed: the port is unreachable. */
  kill(): void;
}

export interface ForgedDatagram {
  readonly from: Place;
  readonly to: Place;
  readonly data: Uint8Array;
}

/** The reference's proxy in another form than it ships in. */
export interface DnsForm {
  /** With that line changed. */
  readonly mutant?: string | null;
  /** What its datagrams come and go by; epoll where nothing is said. */
  readonly adapter?: 'epoll' | 'dgram';
}

export interface DnsStartOptions {
  /** Of pins, where a test cannot wait for the usual 30 s. */
  readonly ttlFloorSeconds?: number;
}

export interface DnsControl {
  /** Which process the proxy is, for its memory. */
  readonly pid: number;
  /** The servers of the world that the proxy is told, in order of preference. */
  readonly servers: readonly ScriptedServer[];
  /** The proxy runs and knows its upstreams; before it, the pod's resolver is the lab's own. */
  start(options?: DnsStartOptions): Promise<void>;
  attach(sandbox: SandboxPlace, policy: DnsPolicyOrder): Promise<void>;
  policy(tap: string, policy: DnsPolicyOrder): Promise<void>;
  detach(tap: string): Promise<void>;
  metrics(): Promise<string>;
  /** By `kill -9`; nobody answers until `start` and `attach`. */
  kill(): Promise<void>;
  /** What stands now, of a tap or of all. */
  pins(tap?: string): KernelPin[];
  /** Since `start`. */
  readonly pinEvents: readonly PinEvent[];
  /** Injected: an empty set of that size in the set's place, 0 for none at all; the rules that named it go. */
  shrinkSet(tap: string, family: 'ipv4' | 'ipv6', size: number): void;
  /** Injected: elements of a port that nobody asks for, in the IPv4 set. */
  fillSet(tap: string, addresses: readonly string[]): void;
  /** Addresses of the world that accept connections from now on. */
  worldHas(prefixes: readonly string[]): void;
  /** From a host of the world that is not on the path, whatever source and octets, straight onto the pod's uplink. */
  forge(datagrams: readonly ForgedDatagram[]): void;
  /** The same datagram to each port of that address, as fast as can be. */
  sprayPorts(datagram: ForgedDatagram, ports: readonly number[]): void;
  /** Takes what the kernel has ready, now. */
  drain(): void;
}

export interface DnsPod extends HuskPod {
  readonly dns: DnsControl;
}

export interface DnsLab extends NetworkLab {
  freshPod(): Promise<DnsPod>;
}
