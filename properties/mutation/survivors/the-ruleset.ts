/** What survives in the decisions on rules of nf_tables and on the flows that outlive them (F4). */
import { type Survivor, survivorsOf } from './survivor.ts';

export const inTheRuleset: readonly Survivor[] = [
  ...survivorsOf(
    'ruleset/address-sets.ts',
    [
      'else if (next.last > before.last) joined[joined.length - 1] = { ...before, last: next.last };',
      'else if (next.last >= before.last) joined[joined.length - 1] = { ...before, last: next.last };',
      'an end is replaced by its equal',
    ],
    [
      "function listed(prefixes: readonly string[], family: AddressFamily, field = 'built in'): Interval[] {",
      'function listed(prefixes: readonly string[], family: AddressFamily, field = ""): Interval[] {',
      'what is built in is well-formed: the word would stand in a refusal alone',
    ],
  ),
  ...survivorsOf(
    'ruleset/policy-elements.ts',
    [
      "const [, host, digits] = /^(.+):(\\d{1,5})$/s.exec(entry.replace(/^(tcp|udp):\\/\\//, '')) ?? [];",
      'const [, host, digits] = /^(.+):(\\d{1,5})$/s.exec(entry.replace(/^(tcp|udp):\\/\\//, \'\')) ?? ["Stryker was here"];',
      'what stands for the whole match is left out: the parts are absent all the same',
    ],
    [
      "const [, host, digits] = /^(.+):(\\d{1,5})$/s.exec(entry.replace(/^(tcp|udp):\\/\\//, '')) ?? [];",
      "const [, host, digits] = /(.+):(\\d{1,5})$/s.exec(entry.replace(/^(tcp|udp):\\/\\//, '')) ?? [];",
      'the first match is sought from the left, and where there is any there is one at the beginning',
    ],
    [
      'if (host === undefined || !(port >= 1 && port <= 65_535)) {',
      'if (false || !(port >= 1 && port <= 65_535)) {',
      'without a host there are no digits either, and no port: the check satisfies the type',
    ],
  ),
];
