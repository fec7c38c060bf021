/** Names under which a run asks: one for each part, fresh for each run, so that no cache answers for the server. */
import type { Labels } from '#properties/models/dns-message.ts';

export interface Names {
  /** The part's own name; the same for the same part in the same run. */
  of(partId: string): Labels;
  /** A further name of the run, never given twice. */
  next(partId: string): Labels;
}

/** `run` marks the run; `domain` is what the server forwards. */
export function namesUnder(domain: Labels, run: string): Names {
  let given = 0;
  return {
    of: (partId) => [labelOf(partId), run, ...domain],
    next(partId) {
      given += 1;
      return [`n${given}-${labelOf(partId)}`, run, ...domain];
    },
  };
}

/** 32-bit FNV-1a: a label of eight letters and digits, the same in every run. */
export function labelOf(partId: string): string {
  let hash = 0x811c9dc5;
  for (const octet of Buffer.from(partId)) hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  return `p${hash.toString(36).padStart(7, '0')}`;
}

/** The name of a run that a text holds, also where a server made one label of several; null: none. */
export function givenIn(text: string): string | null {
  return /n\d+-p[0-9a-z]{7}/.exec(text.toLowerCase())?.[0] ?? null;
}

export const keyOf = (name: Labels) => name.join('\0').toLowerCase();
