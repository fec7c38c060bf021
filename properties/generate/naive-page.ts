/**
 * docs/naive-filters.md: what well-known address libraries let through as pin filters, and what they refuse,
 * over the published corpus.
 */
import { readFileSync } from 'node:fs';
import { filter as ipaddrJs } from '../subjects/external/examples/naive/ipaddr-js.ts';
import { naiveVectors, readMeasured } from '../subjects/external/examples/naive/measured-ipaddress.ts';
import { filter as privateIp } from '../subjects/external/examples/naive/private-ip.ts';
import type { AddressVector } from '../vectors/generate/addresses.ts';
import { generatedNotice, markdownTable } from './markdown.ts';
import { blockedGroups, type NaiveGroup, publicGroups } from './naive-groups.ts';

interface Filter {
  readonly name: string;
  readonly means: string;
  /** null: this address was not measured. */
  readonly pins: (address: string) => boolean | null;
}

function filters(): Filter[] {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    devDependencies: Readonly<Record<string, string>>;
  };
  const { asked, measurements } = readMeasured();
  const known = new Set(asked);
  return [
    ...measurements.map(({ python, pinned }): Filter => {
      const pins = new Set(pinned);
      return {
        name: `ipaddress, Python ${python}`,
        means: '`is_global and not is_multicast`, an IPv4-mapped address as its IPv4',
        pins: (address) => (known.has(address) ? pins.has(address) : null),
      };
    }),
    {
      name: `ipaddr.js ${manifest.devDependencies['ipaddr.js']}`,
      means: "`process(address).range() === 'unicast'`",
      pins: (address) => ipaddrJs(address).verdict === 'pin',
    },
    {
      name: `private-ip ${manifest.devDependencies['private-ip']}`,
      means: '`isPrivate(address) === false`',
      pins: (address) => privateIp(address).verdict === 'pin',
    },
  ];
}

const shownExamples = 2;

/** `3 of 7: a, b …`: the vectors that the filter decides otherwise. */
function cell(vectors: readonly AddressVector[], { pins }: Filter): string {
  const measured = vectors.filter(({ input }) => pins(input.address) !== null);
  const wrong = measured.filter(({ input, verdict }) => pins(input.address) !== (verdict === 'pin'));
  if (wrong.length === 0) return `none of ${measured.length}`;
  const examples = wrong.slice(0, shownExamples).map(({ input }) => `\`${input.address}\``);
  const more = wrong.length > shownExamples ? ' …' : '';
  return `**${wrong.length}** of ${measured.length}: ${examples.join(', ')}${more}`;
}

function groupTable(
  groups: readonly NaiveGroup[],
  vectors: readonly AddressVector[],
  columns: readonly Filter[],
): string {
  const byGroup = Map.groupBy(vectors, (vector) => groups.find(({ matches }) => matches(vector)));
  const rows = groups.flatMap((group) => {
    const own = byGroup.get(group);
    if (own === undefined) return [];
    return [[group.name, ...columns.map((column) => cell(own, column)), group.reason]];
  });
  return markdownTable(['addresses', ...columns.map(({ name }) => name), 'why'], rows);
}

export function naivePage(): string {
  const columns = filters();
  const vectors = naiveVectors();
  const blocked = vectors.filter(({ verdict }) => verdict === 'refuse');
  const open = vectors.filter(({ verdict }) => verdict === 'pin');
  const summary = columns.map((column) => [
    column.name,
    column.means,
    cell(blocked, column).replace(/:.*/, ''),
    cell(open, column).replace(/:.*/, ''),
  ]);
  return `${[
    '# Naive filters',
    generatedNotice,
    'Address libraries are made to parse and to classify, not to decide what a sandbox may dial. Taken as pin filters all the ' +
      `same, this is what they do with the ${vectors.length} addresses of the published corpus ` +
      '([addresses.json](../properties/vectors/addresses.json)) that need no operator policy. The reference decides each as the ' +
      'corpus says.',
    markdownTable(['filter', 'asked for', 'must be blocked, passed', 'public, refused'], summary),
    '## Must be blocked, and passed',
    groupTable(blockedGroups, blocked, columns),
    '## Public, and refused',
    groupTable(publicGroups, open, columns),
    '## Again',
    '```console\n' +
      'pnpm check decision pin-address -- python3 properties/subjects/external/examples/python/pin_address.py\n' +
      'pnpm check decision pin-address -- node properties/subjects/external/examples/naive/ipaddr-js.ts\n' +
      'pnpm check decision pin-address -- node properties/subjects/external/examples/naive/private-ip.ts\n' +
      '```',
    'npm’s libraries are run when this page is generated. Python’s verdicts were measured through the adapter above and are kept ' +
      'in [ipaddress.json](../properties/vectors/measured/ipaddress.json) with the version of Python, so that generating needs no ' +
      'Python; `ipaddress` changes what it calls global between patch releases. Where python3 is there, a test measures again.',
  ].join('\n\n')}\n`;
}
