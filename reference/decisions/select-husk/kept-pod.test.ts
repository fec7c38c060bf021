/** A kept pod is frozen and answers like every other. */
import { describe, expect, test } from 'vitest';
import { keepPod, specHashOf } from './kept-pod.ts';
import { podSpecHash } from './pod-view.ts';

const pod = () => ({
  metadata: { name: 'pool-husk-1' },
  spec: { nodeName: 'worker-1', containers: [{ name: 'husk', image: 'mitos/husk', args: ['--pool=pool'] }] },
});

describe('a kept pod', () => {
  test('always hashes as it did before, the first time and later', () => {
    const kept = keepPod(pod());
    const expected = podSpecHash(pod().spec);
    expect([specHashOf(kept.spec), specHashOf(kept.spec)]).toEqual([expected, expected]);
  });

  test('never changes any more, however deep', () => {
    const frozenOutside = Object.freeze(pod());
    for (const kept of [keepPod(pod()), keepPod(frozenOutside)]) {
      expect(() => {
        (kept.spec.containers[0] as { image: string }).image = 'attacker/husk';
      }).toThrow(TypeError);
      expect(() => kept.spec.containers.push({ name: 'debug', image: 'attacker/shell', args: [] })).toThrow(
        TypeError,
      );
    }
  });

  test('is never confused with one that is not kept and changes in place', () => {
    const loose = pod();
    const before = specHashOf(loose.spec);
    loose.spec.containers[0] = { name: 'husk', image: 'attacker/husk', args: [] };
    expect(specHashOf(loose.spec)).not.toBe(before);
  });

  test.each([null, 7, 'text', [], {}, { spec: null }, { spec: [] }, { spec: 'text' }])(
    'may be %j: nothing is thrown',
    (value) => {
      expect(keepPod(value)).toBe(value);
      expect(specHashOf((value as { spec?: unknown } | null)?.spec)).toBe(null);
    },
  );

  test('may be nested a hundred thousand deep: it is frozen, and has no hash', () => {
    let deep: unknown = 'end';
    for (let depth = 0; depth < 100_000; depth++) deep = [deep];
    const kept = keepPod({ spec: { containers: deep } });
    expect(Object.isFrozen(kept.spec.containers)).toBe(true);
    expect(specHashOf(kept.spec)).toBe(null);
  });
});
