/**
 * What host and guest say to each other besides the reseed (`reseed.ts`): newline-delimited JSON on two channels.
 * `control` has one request in flight and carries all that the gate rests on; `services` carries exec and files, told
 * apart by id, and is open from the release on.
 * Invariant: every line and every count has a bound; who breaks one is refused by name, and the channel goes on.
 */
import type { NotifyForked, NotifyForkedReply, Release, ReleaseReply } from './reseed.ts';

/** Names of the virtio-serial ports (QEMU). */
export const channelNames = { control: 'mitos.control', services: 'mitos.services' } as const;
/** Ports of the guest (vsock, Firecracker). */
export const channelPorts = { control: 1024, services: 1025 } as const;
export type ChannelName = keyof typeof channelNames;

/** Newline included, in either direction on either channel; octets of streams go in chunks below it, in base64. */
export const maxLineOctets = 65_536;
export const maxChunkOctets = 32_768;
/** Exec and files together; one more is refused as `busy`. */
export const maxServicesInFlight = 16;
export const maxArguments = 1_024;
/** Of argv and env together. */
export const maxExecOctets = 49_152;

/** `control`, host → guest. */
export type ControlRequest =
  | { readonly method: 'ping' }
  /** Freezes the workload; after the reply the VM may be stopped and saved. */
  | { readonly method: 'prepare_snapshot'; readonly allow_processes?: readonly AllowedProcess[] }
  | ({ readonly method: 'notify_forked' } & NotifyForked & ForkConfiguration)
  | ({ readonly method: 'release' } & Release);

/** A process that may be alive in a snapshot: declared fork-safe, and seen to answer SIGUSR2. */
export interface AllowedProcess {
  /** Name as in /proc/PID/comm. */
  readonly comm: string;
}

/** What `notify_forked` may bring besides the reseed. */
export interface ForkConfiguration {
  readonly network?: GuestNetwork;
  readonly volumes?: readonly GuestVolume[];
  readonly hostname?: string;
}

export interface GuestNetwork {
  /** CIDR of eth0, such as 10.0.0.2/30, and its gateway. */
  readonly address: string;
  readonly gateway: string;
  readonly address6?: string;
  readonly gateway6?: string;
  /** Lines of /etc/resolv.conf. */
  readonly resolvers: readonly string[];
  readonly mtu?: number;
}

/** A block device of the VM, by its serial, and where it is mounted. */
export interface GuestVolume {
  readonly serial: string;
  readonly path: string;
  readonly readonly: boolean;
}

/** `control`, guest → host: one flat object a request, in order. */
export type ControlReply = PingReply | PrepareSnapshotReply | NotifyForkedReply | ReleaseReply | Refusal;

export interface PingReply {
  readonly ok: true;
  readonly agent: string;
  /** Versions of `notify_forked` that the agent speaks. */
  readonly versions: readonly number[];
  readonly phase: string;
  readonly generation: number;
}

export interface PrepareSnapshotReply {
  readonly ok: boolean;
  readonly error?: string;
  /** Alive, and not declared: what refuses the template. */
  readonly processes?: readonly { readonly pid: number; readonly comm: string }[];
}

export interface Refusal {
  readonly ok: false;
  /** A sentence: what was wrong with the request. Never an octet of it. */
  readonly error: string;
}

/** `services`, host → guest. */
export type ServiceRequest =
  | ({ readonly id: number; readonly method: 'exec' } & ExecRequest)
  | { readonly id: number; readonly method: 'stdin'; readonly data: string }
  | { readonly id: number; readonly method: 'stdin_end' }
  | { readonly id: number; readonly method: 'kill'; readonly signal: string }
  | { readonly id: number; readonly method: 'read'; readonly path: string }
  /** Written beside and renamed; the octets follow as `data`, the last one with `end`. */
  | { readonly id: number; readonly method: 'write'; readonly path: string; readonly mode: number }
  | { readonly id: number; readonly method: 'data'; readonly data: string; readonly end?: true }
  | { readonly id: number; readonly method: 'list' | 'stat' | 'remove'; readonly path: string };

export interface ExecRequest {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute; default `/`. */
  readonly cwd?: string;
  /** `stdin` and `stdin_end` follow; else it is empty. */
  readonly stdin?: boolean;
  /** Then SIGKILL to its whole process group. */
  readonly timeout_ms: number;
  /** Of both streams together; then SIGKILL, and `truncated`. */
  readonly max_output_octets: number;
}

/** `services`, guest → host: chunks, then one end. */
export type ServiceReply =
  | { readonly id: number; readonly stream: 'stdout' | 'stderr' | 'data'; readonly data: string }
  | ServiceEnd;

export interface ServiceEnd {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: string;
  /** Of exec; one of the two. */
  readonly exit_code?: number;
  readonly signal?: string;
  readonly timed_out?: true;
  readonly truncated?: true;
  /** Of `list` and `stat`. */
  readonly entries?: readonly FileEntry[];
}

export interface FileEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly octets: number;
  readonly mode: number;
  readonly modified_ms: number;
}
