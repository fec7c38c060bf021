/** The published corpus: every part that is the same in every run, with its octets under a fixed name. */
import { defaultDomain, settingsOf } from './flags.ts';
import { namesUnder } from './names.ts';
import type { Part } from './part.ts';
import { corpusParts } from './parts-of.ts';
import type { Settings } from './settings.ts';

/** A server of everybody's: its allowlist and its set are examples. */
export const corpusSettings: Settings = settingsOf(
  { server: '127.0.0.1:53', allow: [`*.${defaultDomain}`], nftSet: ['inet', 'filter', 'pins4'] },
  { perSecond: 1, durationMs: 0, timeoutMs: 0, waitMs: 0, seed: 0, runs: 0 },
);

export const publishedParts = (): Part[] => corpusParts(corpusSettings);

export function corpusOf() {
  const names = namesUnder(corpusSettings.domain, 'corpus');
  return {
    corpus: 'dns-server',
    version: 1,
    notes: [
      'guest: what is sent to the server; upstream: what its upstream answers to the last of them, asked with ID 0x1234.',
      'A run asks under fresh names; these are under a fixed one. Random and generated parts are left out.',
    ],
    vectors: publishedParts().map(({ id, claim, sends, never, clause, messages }) => ({
      id,
      claim,
      sends,
      never,
      clause,
      ...messages(names),
    })),
  };
}
