/** A map that behaves as Map does, and holds nothing that was deleted. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SlotMap } from './slot-map.ts';

const key = fc.integer({ min: 0, max: 12 });
const act = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, value: fc.integer() }),
  fc.record({ kind: fc.constant('delete' as const), key, value: fc.constant(0) }),
);

test('does what a Map does, whatever is set and deleted in whatever order', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
      const [ours, model] = [new SlotMap<number, number>(), new Map<number, number>()];
      for (const { kind, key, value } of acts) {
        if (kind === 'set') {
          ours.set(key, value);
          model.set(key, value);
        } else expect(ours.delete(key)).toBe(model.delete(key));
        expect(ours.get(key)).toBe(model.get(key));
        expect(ours.has(key)).toBe(model.has(key));
        expect(ours.size).toBe(model.size);
      }
      expect(ours.values()).toEqual([...model.values()]);
    }),
  );
});

test('a key that is set again keeps one place, and a place that is free is used again', () => {
  const map = new SlotMap<string, object>();
  for (let time = 0; time < 10_000; time++) {
    map.set(`${time}`, { time });
    map.set(`${time}`, { time });
    map.delete(`${time}`);
  }
  map.set('last', { time: -1 });
  expect(map.size).toBe(1);
  expect(map.values()).toEqual([{ time: -1 }]);
});
