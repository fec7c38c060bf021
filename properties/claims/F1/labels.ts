/** F1.labels: the allowlist is matched label by label. */
import * as fc from 'fast-check';
import { dnsConfig } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  hexOf,
  type Labels,
  query,
  questionOf,
  textOfLabels,
  types,
} from '../../models/dns-message.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { dnsVectors, fixedRandomness, honestExchangeWorks } from '../dns-claim.ts';

const exact: readonly Labels[] = [
  ['example', 'com'],
  ['time', 'test'],
];
const below: Labels = ['wild', 'test'];

/** What the default policy allows, by labels; ASCII letters match in either case (RFC 4343). */
function allowed(name: Labels): boolean {
  const lower = name.map((label) => label.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
  const ldh = lower.every((label) => /^[a-z0-9_-]+$/.test(label));
  const same = (a: Labels, b: Labels) =>
    a.length === b.length && a.every((label, index) => label === b[index]);
  return (
    ldh &&
    (exact.some((entry) => same(entry, lower)) ||
      (lower.length > below.length && same(lower.slice(-below.length), below)))
  );
}

function decideOn(subject: Subject, name: Labels) {
  const message = hexOf(encodeMessage(query(name, types.a)));
  return subject.decide('dns-query', dnsConfig)({ message, transport: 'udp', random: fixedRandomness });
}

const odd = fc.constantFrom(
  '.',
  '\\',
  '\0',
  ' ',
  '*',
  '\u00e9',
  '\u00df',
  '\\046',
  '\r',
  '@',
  '/',
  ':',
  '\u007f',
);
const plainLabel = fc.constantFrom(
  'foo',
  'x',
  'www',
  'EXAMPLE',
  'wild',
  'l'.repeat(63),
  '_dmarc',
  'xn--e1afmkfd',
);
/** A label with an octet that is no letter, digit, hyphen or underscore. */
const oddLabel = fc
  .tuple(plainLabel, odd, fc.constantFrom('', 'x', 'wild'))
  .map((parts) => parts.join('').slice(0, 63));
const suffix = fc.constantFrom<Labels>(
  ['wild', 'test'],
  ['test'],
  ['example', 'com'],
  ['com'],
  ['WILD', 'Test'],
  ['wild', 'test', 'attacker', 'net'],
  ['wild.test'],
  ['xwild', 'test'],
  ['time', 'test'],
);

export const claim = defineClaim<{ readonly name: Labels }>({
  id: 'F1.labels',
  statement: 'An allowlist entry matches by labels: no label with a dot, escape, NUL or case trick matches.',
  source: 'RFC 1035 section 3.1, RFC 4343; findings.md F1',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  examples: () =>
    dnsVectors('dns-query', 'query/name/').map(({ input }) => ({
      name: questionOf(String(input.message)).name,
    })),
  arbitrary: () =>
    fc
      .tuple(fc.array(fc.oneof(plainLabel, oddLabel), { maxLength: 3 }), suffix)
      .map(([head, tail]) => ({ name: [...head, ...tail] }))
      .filter(({ name }) => encodeMessage(query(name, 1)).length < 12 + 255),
  control(subject) {
    const allowedName = ['foo', 'wild', 'test'];
    const { verdict, rule } = decideOn(subject, allowedName);
    return verdict === 'forward'
      ? honestExchangeWorks(subject)
      : `${textOfLabels(allowedName)} is not forwarded: ${rule}`;
  },
  judge(subject, { name }) {
    const { verdict, rule } = decideOn(subject, name);
    const required = allowed(name);
    if ((verdict === 'forward') === required) return null;
    return {
      observed: verdict === 'forward' ? 'allowlisted and forwarded' : 'not forwarded',
      observedRule: rule,
      required: required ? 'forward' : 'REFUSED',
      requiredRule: 'labels compared as arrays, LDH and _ only',
    };
  },
  notation: ({ name }) => `labels ${JSON.stringify(name)}, policy ${dnsConfig.allow.join(' ')}`,
  observe(subject, { name }) {
    const { verdict, rule } = decideOn(subject, name);
    return `${verdict}  [${rule}]`;
  },
});
