/** `repro F1` at this tier: question, forged answer, pins and connection of three subjects on the same input. */
import { loadStatements } from '#properties/matrix/catalogue.ts';
import { expect, test } from '../../fixtures/husk-network.ts';
import { dnsReproductionBlock, reproduceDns } from '../../repro/dns-reproduction.ts';

test('a reproduction of F1 always shows question, answer, pin and connection for each subject', async ({
  seed,
}) => {
  const [claim] = await loadStatements(['F1.filtered']);
  if (claim === undefined) throw new Error('F1.filtered is a claim');
  const reproduction = await reproduceDns(claim, seed, new AbortController().signal);
  expect(reproduction.tellings.map(({ record }) => `${record.subject} ${record.outcome}`)).toEqual([
    'vulnerable falsified',
    'published falsified',
    'reference holds',
  ]);
  for (const { story } of reproduction.tellings) {
    const kinds = new Set(story?.map(({ kind }) => kind));
    expect([...kinds]).toEqual(expect.arrayContaining(['question', 'upstream', 'answer', 'connection']));
  }
  const text = dnsReproductionBlock(reproduction, (_, words) => words);
  expect(text).toContain('pin: tap-a 198.18.7.7 tcp 443');
  expect(text).toContain('tap-a to 198.18.7.7 port 443: accepted');
  expect(text).toContain(`HUSKPROOF_SEED=${reproduction.seed} pnpm e2e:husk-network`);
});
