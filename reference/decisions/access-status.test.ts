/** A review’s status: a plain yes, a plain no, and everything else. */
import { describe, expect, test } from 'vitest';
import { readAccessStatus } from './access-status.ts';

describe('a status', () => {
  test.each<[unknown]>([
    [{ allowed: true }],
    [{ allowed: true, denied: false, evaluationError: '' }],
    [{ allowed: true, denied: null, evaluationError: null, reason: 'RBAC' }],
  ])('is only yes without any sign of doubt: %j', (status) => {
    expect(readAccessStatus(status)).toBe('allowed');
  });

  test.each<[unknown]>([[{}], [{ allowed: false }], [{ allowed: 'true' }], [{ allowed: 1, denied: false }]])(
    'is always no unless it says yes: %j',
    (status) => {
      expect(readAccessStatus(status)).toBe('not allowed');
    },
  );

  test.each<[unknown]>([
    [undefined],
    [null],
    [true],
    ['allowed'],
    [[{ allowed: true }]],
    [{ allowed: true, denied: true }],
    [{ allowed: true, denied: 'false' }],
    [{ allowed: true, evaluationError: 'x' }],
    [{ allowed: true, evaluationError: false }],
  ])('is always ambiguous when it is none, or says both: %j', (status) => {
    expect(readAccessStatus(status)).toBe('ambiguous');
  });
});
