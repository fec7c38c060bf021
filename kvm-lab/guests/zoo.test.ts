/** The zoo is whole: each guest can be named on a command line and does something, and one template holds them all. */
import { expect, test } from 'vitest';
import { malformations, proofForms } from '#properties/models/reseed-guest.ts';
import { everyGuest, guestOf, zoo, zooInTurn } from './zoo.ts';
import { behaviours, releases } from './zoo-behaviours.ts';

const names = zoo.map(({ name }) => name);

test('each guest has a name of its own, which is one word of a command line', () => {
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
});

test('each guest has a behaviour, and each behaviour is of a guest', () => {
  expect([...behaviours.keys()].toSorted()).toEqual(names.toSorted());
  expect(zoo.filter(({ seenBy }) => seenBy === 'release').map(({ name }) => name)).toEqual([
    ...releases.keys(),
  ]);
});

test('every malformation and every wrong proof of the model is a guest, beside those that only a machine shows', () => {
  const ofModel = Object.keys(malformations).length + proofForms.length - 1;
  expect(names.filter((name) => /^(answer|proof)-/.test(name))).toHaveLength(ofModel);
  expect(names.length - ofModel).toBeGreaterThanOrEqual(26);
});

test('of one template, generations are guests in turn, the first of them honest; speaks-first has one of its own', () => {
  expect(guestOf(everyGuest, 1)?.name).toBe('honest');
  const turn = zooInTurn.map((_, index) => guestOf(everyGuest, index + 1)?.name);
  expect([...turn, 'speaks-first'].toSorted()).toEqual(names.toSorted());
  expect(guestOf(everyGuest, zooInTurn.length + 1)).toBe(guestOf(everyGuest, 1));
  expect(guestOf('speaks-first', 7)?.name).toBe('speaks-first');
  expect(guestOf('nobody', 1)).toBeNull();
});
