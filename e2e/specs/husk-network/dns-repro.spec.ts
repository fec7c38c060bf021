/** `repro F1` at this tier: question, forged answer, pins and connection of three subjects on the same input. */
import { dnsUnsupported, expect, test } from '../../fixtures/husk-network.ts';
import { dnsReproductionBlock, reproduceDns } from '../../repro/dns-reproduction.ts';

test.skip(dnsUnsupported !== null, dnsUnsupported ?? '');

test('a reproduction of F1 always shows question, answer, pin and connection for each subject', async ({
  seed,
}) => {
  const reproduction = await reproduceDns('F1.filtered', seed, new AbortController().signal);
  expect(reproduction?.tellings.map(({ record }) => `${record.subject} ${record.outcome}`)).toEqual([
    'vulnerable falsified',
    'published falsified',
    'reference holds',
  ]);
  if (reproduction === null) return;
  for (const { story } of reproduction.tellings) {
    const kinds = new Set(story?.map(({ kind }) => kind));
    expect([...kinds]).toEqual(expect.arrayContaining(['question', 'upstream', 'answer', 'connection']));
  }
  const text = dnsReproductionBlock(reproduction, (_, words) => words);
  expect(text).toContain('pin: tap-a 198.18.7.7 tcp 443');
  expect(text).toContain('tap-a to 198.18.7.7 port 443: accepted');
  expect(text).toContain(`HUSKPROOF_SEED=${reproduction.seed} pnpm e2e:husk-network`);
});
