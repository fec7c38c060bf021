/**
 * The one token of a sandbox server: 32 random octets, kept here as their digest.
 * Invariant: compared in constant time, and in no log, error or title.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { kernelRandom } from '#reference/base/kernel-random.ts';

const tokenOctets = 32;

export const freshToken = (): string => kernelRandom(tokenOctets).toString('base64url');

const digestOf = (text: string) => createHash('sha256').update(text).digest();

export class BearerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** @param header `Authorization`, as it came */
  admits(header: string | undefined): boolean {
    // One digest is compared, whatever came: its time says nothing of the token.
    const [, token] = /^Bearer ([A-Za-z0-9_-]{1,256})$/.exec(header ?? '') ?? [];
    return timingSafeEqual(digestOf(token ?? ''), this.#digest) && token !== undefined;
  }
}
