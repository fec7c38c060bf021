/**
 * Runs real code on an address that is not known yet: whatever the code wants to know of it is a question,
 * which stops the run; it runs again for each answer. No source is read and no code replaced: the octets
 * are a proxy that hears every access.
 * Invariant: all that a run learns of the address are its answers, so that its result holds for every
 * address that gives them.
 */

/** Stops a run: what it wants to know. Not an error of the code that runs. */
export class Question {
  /** The same question is asked in the same words. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Octets `offset` to `offset + length - 1` of a message, unknown. Reading one asks; reading anything else,
 * or anything of the array but an octet, throws.
 */
export function unknownOctets(offset: number, length: number, ask: (octet: number) => number): Uint8Array {
  return new Proxy(new Uint8Array(0), {
    get(_target, property) {
      const octet =
        typeof property === 'string' && /^\d+$/.test(property) ? Number(property) - offset : Number.NaN;
      if (octet >= 0 && octet < length) return ask(octet);
      throw new Error(
        `the decision reads [${String(property)}] of octets ${offset} to ${offset + length - 1}`,
      );
    },
  });
}

/** The result of one run, or what it asks next. */
export function attempt<Result>(run: () => Result): { readonly result: Result } | Question {
  try {
    return { result: run() };
  } catch (thrown) {
    if (thrown instanceof Question) return thrown;
    throw thrown;
  }
}
