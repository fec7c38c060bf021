/** A rule in a few words, from the kernel's own expressions: enough to find it in `nft -a list ruleset`. */
import type { Bytes, Expression, Rule, Table } from '#properties/oracles/nft/ruleset.ts';

const fields: Readonly<Record<string, string>> = {
  'network 9 1': 'protocol',
  'network 12 4': 'saddr',
  'network 16 4': 'daddr',
  'network 8 16': 'ip6 saddr',
  'network 24 16': 'ip6 daddr',
  'transport 0 2': 'sport',
  'transport 2 2': 'dport',
  'transport 0 1': 'icmp type',
  'transport 13 1': 'tcp flags',
  'link 0 6': 'ether daddr',
  'link 6 6': 'ether saddr',
  'link 12 2': 'ether type',
};

const signs = { eq: '', ne: '!= ', lt: '< ', le: '<= ', gt: '> ', ge: '>= ' } as const;
const states = ['invalid', 'established', 'related', 'new'] as const;

/** Values of a register by what was loaded into it last. */
export function ruleWords(rule: Rule, table: Table): string {
  const loaded = new Map<number, string>();
  const words = rule.expressions.map((one) => expressionWords(one, loaded, table));
  return words.filter((word) => word !== '').join(' ');
}

function expressionWords(one: Expression, loaded: Map<number, string>, table: Table): string {
  const keep = (to: number, name: string) => {
    loaded.set(to, name);
    return '';
  };
  const named = (from: number) => loaded.get(from) ?? 'value';
  switch (one.kind) {
    case 'payload': {
      const place = `${one.base} ${one.offset} ${one.length}`;
      const prefix = one.base === 'network' && one.length < 4 ? prefixName(one.offset) : undefined;
      return keep(one.to, fields[place] ?? prefix ?? `@${place.replaceAll(' ', ',')}`);
    }
    case 'meta':
      return keep(one.to, one.key);
    case 'ct':
      return keep(one.to, `ct ${one.key}`);
    case 'fib':
      return keep(one.to, `fib ${one.flags.join(' ')} ${one.result}`);
    case 'exthdr':
      return keep(one.to, `exthdr ${one.type}`);
    case 'mask':
      return keep(one.to, maskWords(named(one.from), one.and));
    case 'shift':
    case 'byteorder':
      return keep(one.to, named(one.from));
    case 'constant':
      return keep(one.to, valueWords('', one.value));
    case 'compare':
      return compareWords(named(one.from), one.op, one.value);
    case 'range':
      return `${named(one.from)} ${one.inverted ? '!= ' : ''}${valueWords(named(one.from), one.first)}-${valueWords(named(one.from), one.last)}`;
    case 'lookup':
      return `${named(one.from)} ${one.inverted ? '!= ' : ''}${setWords(one.set, table)}${one.to === 'verdict' ? ' vmap' : ''}`;
    case 'meta-set':
    case 'ct-set':
      return `${one.kind === 'ct-set' ? 'ct ' : ''}${one.key} set ${named(one.from)}`;
    case 'verdict':
      return 'chain' in one.verdict ? `${one.verdict.code} ${one.verdict.chain}` : one.verdict.code;
    case 'match':
      return `xt match ${one.name}`;
    case 'target':
      return `xt target ${one.name}`;
    case 'effect':
      return '';
    case 'either':
    case 'unknown':
      return one.name;
    default:
      return one.kind;
  }
}

/** iptables-nft loads the leading octets of an address only. */
function prefixName(offset: number): string | undefined {
  return offset === 12 ? 'saddr' : offset === 16 ? 'daddr' : undefined;
}

function maskWords(name: string, and: Bytes): string {
  const bits = and.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const length = bits.indexOf('0');
  const isPrefix = name.endsWith('addr') && !bits.slice(length).includes('1');
  return isPrefix
    ? `${name}/${length}`
    : name.startsWith('ct ')
      ? name
      : `${name} & 0x${Buffer.from(and).toString('hex')}`;
}

function compareWords(name: string, op: keyof typeof signs, value: Bytes): string {
  const zero = value.every((byte) => byte === 0);
  if (name === 'ct state' && op === 'ne' && zero) return 'ct state among those of the rule';
  const [plain = name, length] = name.split('/');
  const shown = valueWords(plain, value);
  return `${plain} ${signs[op]}${shown}${length === undefined ? '' : `/${length}`}`;
}

function valueWords(name: string, value: Bytes): string {
  if (name.endsWith('ifname')) return `"${Buffer.from(value).toString('latin1').replace(/\0+$/, '')}"`;
  if (name.startsWith('ip6 '))
    return Buffer.from(value)
      .toString('hex')
      .replace(/(.{4})(?=.)/g, '$1:');
  if (name.endsWith('addr') && name.startsWith('ether'))
    return Buffer.from(value)
      .toString('hex')
      .replace(/(..)(?=.)/g, '$1:');
  if (name.endsWith('addr')) return `${value.join('.')}${value.length < 4 ? `/${value.length * 8}` : ''}`;
  if (name === 'ct state') return states.filter((_, i) => (((value[0] ?? 0) >> i) & 1) === 1).join(',');
  if (name.endsWith('port')) return String(Buffer.from(value).readUInt16BE(0));
  if (value.length === 1) return String(value[0]);
  return `0x${Buffer.from(value).toString('hex')}`;
}

const shownElements = 4;

function setWords(name: string, table: Table): string {
  const set = table.sets.get(name);
  if (!name.startsWith('__') || set === undefined) return `@${name}`;
  const some = set.elements
    .slice(0, shownElements)
    .map(({ from }) => `0x${Buffer.from(from).toString('hex')}`);
  return `{ ${some.join(', ')}${set.elements.length > shownElements ? ', …' : ''} }`;
}
