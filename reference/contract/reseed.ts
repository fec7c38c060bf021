/**
 * What host and guest say to each other after a fork (newline-delimited JSON) and the constants of the
 * reseed proof.
 * Invariant: octet strings are lower-case hex; seeds, nonces, samples and absolute times never enter a
 * rule, an error or a log.
 */

/** Versions of `notify_forked` that this code speaks; any other is refused by name. */
export const reseedVersions: readonly number[] = [1];

/** 26 octets: what the proof's SHA-256 begins with, its NUL included. */
export const proofLabel = 'mitos.run/reseed-proof/v1\0';

/** A seed is at least this long: 256 bits, all of them credited. */
export const minSeedOctets = 32;
export const maxSeedOctets = 512;
export const nonceOctets = 32;
/** What the agent draws after the reseed; SHA-256 of it is the sample. */
export const sampleDrawOctets = 32;

/** Generations are u64 on the wire of the proof and integers in JSON: 1 … 2^53 − 1. */
export const maxGeneration = Number.MAX_SAFE_INTEGER;

/** A longer line from the guest is refused unread. */
export const maxResponseLineOctets = 4096;

/** Host → guest. The seed is fresh and single-use, the generation unique per fork of a snapshot. */
export interface NotifyForked {
  readonly version: number;
  readonly generation: number;
  /** 32 octets, hex. */
  readonly nonce: string;
  /** 32 to 512 octets, hex. */
  readonly seed: string;
  /** Wall clock of the host, nanoseconds since 1970. */
  readonly host_wall_clock_nanos: number;
}

/** Guest → host: one flat object on one line, each field once, no other field. */
export interface NotifyForkedReply {
  readonly ok: boolean;
  readonly reseeded_rng: boolean;
  /** The generation of the request. */
  readonly generation?: number;
  /** SHA-256 of 32 octets drawn after the reseed, bound to nothing; hex. */
  readonly sample?: string;
  /** SHA-256(label ‖ sample ‖ generation as u64 big-endian ‖ nonce), hex. */
  readonly proof?: string;
  readonly applied_clock_step_nanos?: number;
  /** The rule that refused; only with `ok: false`. */
  readonly error?: string;
}

/** Host → guest, after the gate: thaw, signal, accept exec. */
export interface Release {
  readonly generation: number;
}

/** Guest → host. */
export interface ReleaseReply {
  readonly ok: boolean;
  readonly signaled_processes?: number;
  readonly error?: string;
}
