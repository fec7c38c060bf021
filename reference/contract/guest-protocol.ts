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
/**
 * Chunks of one request that may be on their way in one direction without an `ack`. Host and guest keep to it alike:
 * who reads slowly stops one request, never the channel. A host that sends more has its request ended. The last of a
 * write (`end`) and `stdin_end` need no room, and are not acknowledged.
 */
export const maxChunksInFlight = 8;
/** Entries of a folder that are listed; what is beyond them is said by `truncated`. */
export const maxListedEntries = 10_000;
/** What is kept of the output of an init command: its end. */
export const maxInitOutputOctets = 16_384;
export const maxArguments = 1_024;
/** Of argv and env together. */
export const maxExecOctets = 49_152;

/**
 * `control`, host → guest. A line is looked at when the one before is answered; a field that is not named here is
 * refused, as is a method.
 */
export type ControlRequest =
  | { readonly method: 'ping' }
  /** A command of the template, in the workload: before the first snapshot only, one after the other. */
  | ({ readonly method: 'init' } & InitRequest)
  /** What only the guest can say of its kernel. Before the first snapshot only. */
  | { readonly method: 'facts' }
  /** Freezes the workload; after the reply the VM may be stopped and saved. */
  | { readonly method: 'prepare_snapshot'; readonly allow_processes?: readonly AllowedProcess[] }
  | ({ readonly method: 'notify_forked' } & NotifyForked & ForkConfiguration)
  | ({ readonly method: 'release' } & Release);

export interface InitRequest {
  readonly argv: readonly string[];
  /** All of it; PATH has a default. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute; default `/`. */
  readonly cwd?: string;
  /** Then SIGKILL to all that it started, whoever its parent, session or process group is. */
  readonly timeout_ms: number;
  /** Answered as soon as it runs; its output goes nowhere. It has to be declared to `prepare_snapshot`. */
  readonly background?: true;
}

/**
 * A process that may be alive in a snapshot: declared fork-safe, and seen to answer SIGUSR2: it is sent one before the
 * freeze, catches it, has taken it within a second, and lives.
 */
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
  /** Addresses: the nameserver lines of /etc/resolv.conf. */
  readonly resolvers: readonly string[];
  readonly mtu?: number;
}

/** Of the kernel or the agent: no volume is mounted over them, nor in them, nor over what they are in. */
export const keptFolders = ['/proc', '/sys', '/dev', '/etc', '/run/sandbox'] as const;

/** A block device of the VM, by its serial, and where it is mounted. */
export interface GuestVolume {
  readonly serial: string;
  readonly path: string;
  readonly readonly: boolean;
}

/** `control`, guest → host: one flat object a request, in order. */
export type ControlReply =
  | PingReply
  | FactsReply
  | InitReply
  | PrepareSnapshotReply
  | NotifyForkedReply
  | ReleaseReply
  | Refusal;

export interface PingReply {
  readonly ok: true;
  readonly agent: string;
  /** Versions of `notify_forked` that the agent speaks. */
  readonly versions: readonly number[];
  readonly phase: string;
  readonly generation: number;
}

export interface FactsReply {
  readonly ok: true;
  /** Of the agent's runtime, such as v24.9.0. */
  readonly node: string;
  /** As `uname -r` prints it. */
  readonly kernel_release: string;
  /** Address of `base_crng` in /proc/kallsyms, 16 hex digits; null: the kernel does not tell. */
  readonly generator_symbol: string | null;
}

/** `ok`: it ended with exit code 0, or runs in the background. */
export interface InitReply {
  readonly ok: boolean;
  /** Why it could not be started. */
  readonly error?: string;
  readonly pid?: number;
  readonly exit_code?: number;
  readonly signal?: string;
  readonly timed_out?: true;
  /** The end of what it wrote to stdout and stderr, base64. */
  readonly output?: string;
}

export interface PrepareSnapshotReply {
  readonly ok: boolean;
  readonly error?: string;
  /** Alive, and not declared: what refuses the template. The first 32. */
  readonly processes?: readonly { readonly pid: number; readonly comm: string }[];
}

export interface Refusal {
  readonly ok: false;
  /** A sentence: what was wrong with the request. Never an octet of it. */
  readonly error: string;
}

/**
 * `services`, host → guest. An id is a positive integer that no request in flight has.
 * Paths are absolute in the guest and in their one form: no `.`, no `..`, no empty part, no NUL. The root is the
 * guest's own, so that there is no outside to be led to; what the last name of a path is, is never followed when it is
 * a symbolic link, and only regular files are read.
 */
export type ServiceRequest =
  | ({ readonly id: number; readonly method: 'exec' } & ExecRequest)
  | { readonly id: number; readonly method: 'stdin'; readonly data: string }
  | { readonly id: number; readonly method: 'stdin_end' }
  /** To the whole process group; SIGKILL to all that was started. */
  | { readonly id: number; readonly method: 'kill'; readonly signal: string }
  /** Refused when it is longer. As many octets as it had when it was opened. */
  | { readonly id: number; readonly method: 'read'; readonly path: string; readonly max_octets: number }
  /** Written beside and renamed, folders that are missing made; the octets follow as `data`, the last with `end`. */
  | { readonly id: number; readonly method: 'write'; readonly path: string; readonly mode: number }
  | { readonly id: number; readonly method: 'data'; readonly data: string; readonly end?: true }
  /** `remove`: a file, a link or an empty folder. */
  | { readonly id: number; readonly method: 'list' | 'stat' | 'remove'; readonly path: string }
  /** So many chunks from the guest were passed on. */
  | { readonly id: number; readonly method: 'ack'; readonly chunks: number }
  /** Ends a request, as a host that goes does: SIGKILL to all that was started, the file as it was. */
  | { readonly id: number; readonly method: 'cancel' };

export interface ExecRequest {
  readonly argv: readonly string[];
  /** All of it; PATH has a default. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute; default `/`. */
  readonly cwd?: string;
  /** `stdin` and `stdin_end` follow; else it is empty. */
  readonly stdin?: boolean;
  /** Then SIGKILL to all that it started, whoever its parent, session or process group is. */
  readonly timeout_ms: number;
  /** Of both streams together; then SIGKILL, and `truncated`. */
  readonly max_output_octets: number;
  /** Processes and threads at once, of it and all that it starts; default: a quarter of what the kernel allows. */
  readonly max_processes?: number;
  /** From 1 MiB; beyond it all of it is killed. Default: what all programs together may have. */
  readonly max_memory_octets?: number;
}

/**
 * `services`, guest → host: chunks, then one end. What comes for an id after its end is ignored: it crossed.
 * A line that names no request of its own (malformed, too long, an id in use) is refused under id 0.
 */
export type ServiceReply =
  | { readonly id: number; readonly stream: 'stdout' | 'stderr' | 'data'; readonly data: string }
  /** Of `list`: a chunk, as those of streams are. */
  | { readonly id: number; readonly stream: 'entries'; readonly entries: readonly FileEntry[] }
  /** So many chunks of `stdin` or `data` were taken. */
  | { readonly id: number; readonly ack: number }
  | ServiceEnd;

export interface ServiceEnd {
  readonly id: number;
  readonly ok: boolean;
  /** Never an octet of the request. */
  readonly error?: string;
  /** Of exec; one of the two. */
  readonly exit_code?: number;
  readonly signal?: string;
  readonly timed_out?: true;
  /** Of exec and `list`: there was more. */
  readonly truncated?: true;
  /** Of `stat`. */
  readonly entry?: FileEntry;
}

export interface FileEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly octets: number;
  readonly mode: number;
  readonly modified_ms: number;
}
