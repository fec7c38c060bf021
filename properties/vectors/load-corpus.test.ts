/** A corpus is valid whole, or refused with the file, the vector and the field. */
import { describe, expect, test } from 'vitest';
import { loadCorpus, parseCorpus } from './load-corpus.ts';

const schema = JSON.stringify({
  type: 'object',
  properties: {
    vectors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'verdict'],
        properties: { verdict: { enum: ['pin', 'refuse'] } },
      },
    },
  },
});
const corpusOf = (...vectors: object[]) => JSON.stringify({ corpus: 'toy', version: 1, vectors });

describe('a corpus', () => {
  test('is always returned whole when its schema accepts it', () => {
    const text = corpusOf({ id: 'a', verdict: 'pin' }, { id: 'b', verdict: 'refuse' });
    expect(parseCorpus('toy', text, schema).vectors).toHaveLength(2);
  });

  test.each([
    ['cut off in the middle', corpusOf({ id: 'a', verdict: 'pin' }).slice(0, -5), /JSON/],
    ['holding a verdict that is none', corpusOf({ id: 'a', verdict: 'perhaps' }), /vector "a"/],
    [
      'naming an id twice',
      corpusOf({ id: 'a', verdict: 'pin' }, { id: 'a', verdict: 'pin' }),
      /"a" occurs twice/,
    ],
  ])('refuses a file %s', (_, text, message) => {
    expect(() => parseCorpus('toy', text, schema)).toThrow(
      expect.objectContaining({ code: 'bad-corpus', message: expect.stringMatching(message) }),
    );
  });

  test('refuses a corpus that is not there by its name', () => {
    expect(() => loadCorpus('nowhere')).toThrow(
      expect.objectContaining({ code: 'bad-corpus', message: expect.stringContaining('nowhere.json') }),
    );
  });
});
