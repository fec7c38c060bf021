/** Names as a hostile sender writes them: at the bounds, with odd octets, ended by pointers anywhere. */
import * as fc from 'fast-check';
import type { Labels } from '../models/dns-message.ts';
import { type PointerTarget, plainName, type SketchName, shortName } from '../models/dns-sketch.ts';
import { allowedNames, otherNames } from './dns.ts';

const bodyOctets = 62;

/** A name of so many octets on the wire, under an allowlisted wildcard: 255 is the longest that there may be. */
export function nameOfOctets(octets: number): Labels {
  const ending = ['wild', 'test'];
  const labels: string[] = [];
  let left = octets - 1 - 5 - 5;
  while (left > bodyOctets + 3) {
    labels.push('n'.repeat(bodyOctets));
    left -= bodyOctets + 1;
  }
  // What is left is one label, or two where one would be too long.
  if (left > 64) {
    labels.push('m'.repeat(31));
    left -= 32;
  }
  if (left > 1) labels.push('l'.repeat(left - 1));
  return [...labels, ...ending];
}

const atTheBound = fc.constantFrom(100, 191, 192, 253, 254, 255, 256, 257, 300).map(nameOfOctets);
const oddLabelLength = fc
  .constantFrom(0, 1, 63, 64, 65, 127, 128, 191, 192, 255)
  .map((octets): Labels => ['x'.repeat(octets), 'wild', 'test']);
const oddOctet = fc.constantFrom(
  '.',
  '\0',
  ' ',
  '\\',
  '*',
  '@',
  'A',
  'Z',
  '[',
  '`',
  '{',
  '/',
  '\u00c0',
  '\u00e0',
  '\u00ff',
  '\r\n',
);
const oddLabel = fc
  .tuple(fc.constantFrom('', 'a', 'example'), oddOctet, fc.constantFrom('', 'b'))
  .map((parts) => parts.join(''));
const oddName = fc
  .tuple(oddLabel, fc.constantFrom<Labels>(['wild', 'test'], ['com'], []))
  .map(([label, rest]) => [label, ...rest]);
const manyLabels = fc
  .constantFrom(1, 2, 119, 120, 121, 126, 127)
  .map((count): Labels => [...Array.from({ length: count }, (_, index) => 'abc'[index % 3] ?? 'a'), 'wild']);

export const allowedOrOther: fc.Arbitrary<Labels> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...allowedNames) },
  { weight: 1, arbitrary: fc.constantFrom(...otherNames) },
);

/** Letters in either case, by a coin for each. */
export function inAnyCase(labels: fc.Arbitrary<Labels>): fc.Arbitrary<Labels> {
  return fc
    .tuple(labels, fc.constantFrom(0, 0, -1, 0x55555555, 0x2d2d2d2d))
    .map(([name, coins]) =>
      name.map((label) =>
        [...label].map((letter, at) => ((coins >> (at & 31)) & 1 ? letter.toUpperCase() : letter)).join(''),
      ),
    );
}

/** Labels that are no name, or only just one. */
export const hostileLabels: fc.Arbitrary<Labels> = fc.oneof(
  { weight: 2, arbitrary: inAnyCase(allowedOrOther) },
  { weight: 2, arbitrary: atTheBound },
  { weight: 1, arbitrary: oddLabelLength },
  { weight: 2, arbitrary: oddName },
  { weight: 1, arbitrary: manyLabels },
  { weight: 1, arbitrary: fc.constant<Labels>([]) },
);

export const pointerTarget: fc.Arbitrary<PointerTarget> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<PointerTarget>('question', 'owner') },
  { weight: 1, arbitrary: fc.constantFrom<PointerTarget>('itself', 'next', 'header') },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 200 }) },
  { weight: 1, arbitrary: fc.constantFrom(11, 12, 13, 255, 256, 0x3fff) },
);

/** A name that ends in a pointer, right or wrong. */
export const pointingName: fc.Arbitrary<SketchName> = fc
  .tuple(fc.oneof(fc.constant<Labels>([]), fc.constant<Labels>(['a']), hostileLabels), pointerTarget)
  .map(([labels, pointer]) => ({ labels, ending: { pointer } }));

/** Any name, in any of its forms. */
export const hostileName: fc.Arbitrary<SketchName> = fc.oneof(
  { weight: 3, arbitrary: hostileLabels.map(plainName) },
  { weight: 3, arbitrary: hostileLabels.map(shortName) },
  { weight: 2, arbitrary: pointingName },
);
