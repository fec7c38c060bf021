/**
 * The published corpora: enough of them, more negatives than positives, and the reference agrees with every
 * vector.
 */
import { describe, expect, test } from 'vitest';
import { pinEverything } from '../models/dns-session.ts';
import { digestOf } from '../models/staged-files.ts';
import { runStaging } from '../models/stager.ts';
import { decodeAnswer } from '../oracles/dns/answer-oracle.ts';
import { loadSubject } from '../subjects/load-subject.ts';
import type { Subject } from '../subjects/subject.ts';
import type { AddressVector } from './generate/addresses.ts';
import type { DnsVector } from './generate/dns-messages/dns-vector.ts';
import type { generate as generateDns } from './generate/dns-messages.ts';
import type { StagedVector } from './generate/staged-files.ts';
import { type Corpus, loadCorpus } from './load-corpus.ts';

const dnsDecisions = ['dns-query', 'dns-reply', 'dns-build'] as const;
const reference = await loadSubject('reference', ['pin-address', 'kernel-digest', ...dnsDecisions]);
const published = await loadSubject('published', ['pin-address', 'kernel-digest', ...dnsDecisions]);

describe('addresses', () => {
  const { vectors } = loadCorpus<AddressVector>('addresses');
  const refused = vectors.filter(({ verdict }) => verdict === 'refuse');

  test('are at least 400, more of them refused than pinned', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(400);
    expect(refused.length).toBeGreaterThan(vectors.length / 2);
  });

  const decide = (subject: Subject, { config, input }: AddressVector) =>
    subject.decide('pin-address', config)(input);

  test.each(vectors)('$id is always decided alike by the reference', (vector) => {
    const { verdict, pinnedAs, rule } = decide(reference, vector);
    expect({ verdict, pinnedAs }, rule).toEqual({ verdict: vector.verdict, pinnedAs: vector.pinnedAs });
  });

  test('are decided otherwise by the published filter in part: they can fail', () => {
    const pinned = refused.filter((vector) => decide(published, vector).verdict === 'pin');
    expect(pinned.length).toBeGreaterThan(100);
  });
});

describe('DNS messages', () => {
  const corpus = loadCorpus<DnsVector>('dns-messages') as Corpus<DnsVector> & ReturnType<typeof generateDns>;
  const { vectors, config } = corpus;

  test('are at least 150, more negative than positive', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(150);
    expect(vectors.filter(({ flags }) => flags.includes('negative')).length).toBeGreaterThan(
      vectors.length / 2,
    );
  });

  /** What a subject does with a vector, in the vector's own words. */
  function outcomeOf(subject: Subject, { decision, input }: DnsVector): Partial<DnsVector> {
    if (decision === 'dns-reply')
      return { verdict: subject.decide(decision, config)(input as never).verdict };
    if (decision === 'dns-query') {
      const { verdict, message } = subject.decide(decision, config)(input as never);
      return verdict === 'answer'
        ? { verdict, rcode: decodeAnswer(message ?? '')?.rcode ?? 'unreadable' }
        : { verdict };
    }
    const build = subject.decide(decision, config);
    const { pins } = build(input as never);
    const { answer } = build({ ...(input as object), outcomes: pinEverything(pins) } as never);
    const decoded = answer === null ? null : decodeAnswer(answer);
    return {
      verdict: pins.length > 0 ? 'pin' : 'nothing pinned',
      rcode: decoded?.rcode ?? 'unreadable',
      pins: pins.map(
        ({ address, protocol, port, ttlSeconds }) => `${address} ${protocol} ${port} ${ttlSeconds}`,
      ),
      answer: decoded?.addresses.map(({ address, ttl }) => `${address} ${ttl}`) ?? [],
    };
  }

  test.each(vectors)('$id is always decided alike by the reference', (vector) => {
    expect(vector).toMatchObject(outcomeOf(reference, vector));
  });

  test('are decided otherwise by the published proxy in part: they can fail', () => {
    const otherwise = vectors.filter((vector) => {
      const outcome = outcomeOf(published, vector);
      return (
        outcome.verdict !== vector.verdict || JSON.stringify(outcome.pins) !== JSON.stringify(vector.pins)
      );
    });
    expect(otherwise.length).toBeGreaterThan(50);
  });
});

describe('staged files', () => {
  const { vectors } = loadCorpus<StagedVector>('staged-files');

  test('are at least 60, more negative than positive', () => {
    expect(vectors.length).toBeGreaterThanOrEqual(60);
    expect(vectors.filter(({ flags }) => flags.includes('negative')).length).toBeGreaterThan(
      vectors.length / 2,
    );
  });

  const outcomeOf = (subject: Subject, { input }: StagedVector) => {
    const { ends, booted } = runStaging(subject, input);
    const [kernel] = booted;
    return {
      verdict: ends.map(({ outcome }) => outcome),
      boots: kernel === undefined ? null : digestOf(kernel),
    };
  };

  test.each(vectors)('$id always ends alike on the reference', (vector) => {
    expect(outcomeOf(reference, vector)).toEqual({ verdict: vector.verdict, boots: vector.boots });
  });

  test('end otherwise on the published script in part: they can fail', () => {
    const otherwise = vectors.filter((vector) => outcomeOf(published, vector).boots !== vector.boots);
    expect(otherwise.length).toBeGreaterThan(10);
  });
});
