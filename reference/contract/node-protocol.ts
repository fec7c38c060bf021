/**
 * What husks and forkd say to each other over the node socket: a line of JSON asked, a line answered, one at a time.
 * Invariant: whoever speaks out of turn, too long or too late is hung up on; an answer that is not understood is none.
 */
import type { WitnessAnswer } from './witness-port.ts';

export const nodeProtocolVersion = 1;
/** With its newline. */
export const maxNodeRequestOctets = 4_096;
/** Of a store; and of a template, which carries a manifest. */
export const maxNodeAnswerOctets = 4_096;
export const maxTemplateAnswerOctets = 262_144;

/** Descriptors of a template's answer, in this order: what its forks map and load. */
export const handedParts = ['memory', 'deviceState'] as const;

/** `snapshot`: the digest of the manifest of a template that stands on this node. */
export type NodeRequest = { readonly v: typeof nodeProtocolVersion; readonly snapshot: string } & (
  | { readonly ask: 'template' }
  | { readonly ask: 'next-generation'; readonly above: number }
  | { readonly ask: 'insert'; readonly generation: number; readonly keys: readonly string[] }
  | { readonly ask: 'is-admitted'; readonly generation: number }
);

export type NodeRefusal = {
  readonly ok: false;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
};

export type NodeAnswer = { readonly v: typeof nodeProtocolVersion } & (
  | NodeRefusal
  /** Sealed memory goes along with its first octet. */
  | { readonly ok: true; readonly parts: typeof handedParts; readonly manifest: string }
  | { readonly ok: true; readonly generation: number }
  | { readonly ok: true; readonly answer: WitnessAnswer }
  | { readonly ok: true; readonly admitted: boolean }
);
