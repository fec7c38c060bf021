/**
 * Reads the whole ruleset of the current network namespace over nfnetlink. Invariant: everything in the
 * result was there at one time: the ruleset's generation is the same before and after.
 */
import {
  type Attributes,
  attribute,
  attributeList,
  nested,
  number32,
  readAttributes,
  text,
} from '../../netlink/attributes.ts';
import { DumpInterrupted, NetlinkSocket, netlinkNetfilter } from '../../netlink/netlink-socket.ts';
import { closeIntervals, type RawElement, ranged } from '../intervals.ts';
import type { BaseChain, Chain, Expression, Family, NftSet, Rule, Ruleset, Table } from '../ruleset.ts';
import { familyNumbers, familyOf, hookOf, messages, objectTypes } from './constants.ts';
import { dataValue, readExpression, readExpressions, readVerdict } from './expressions.ts';

const maxTries = 20;

/** Throws SystemCallError without the right to read, DumpInterrupted when the ruleset never stands still. */
export function readRuleset(): Ruleset {
  const socket = new NetlinkSocket(netlinkNetfilter);
  try {
    for (let tries = 0; tries < maxTries; tries += 1) {
      const before = generation(socket);
      const tables = readTables(socket);
      if (generation(socket) === before) return { tables };
    }
    throw new DumpInterrupted(`the ruleset changed during each of ${maxTries} dumps`);
  } finally {
    socket.close();
  }
}

interface Entry {
  readonly family: Family;
  readonly attributes: Attributes;
}

function header(family: number): Buffer {
  return Buffer.from([family, 0, 0, 0]);
}

function generation(socket: NetlinkSocket): number {
  const answer = socket.get(messages.getGeneration, header(0));
  return number32(readAttributes(answer.body.subarray(4)), 1) ?? 0;
}

function dump(socket: NetlinkSocket, type: number, body: Buffer = header(0)): Entry[] {
  return socket.dump(type, body).map((message) => ({
    family: familyOf(message.body[0] ?? 0),
    attributes: readAttributes(message.body.subarray(4)),
  }));
}

function readTables(socket: NetlinkSocket): Table[] {
  const tables = dump(socket, messages.getTable);
  const chains = dump(socket, messages.getChain);
  const rules = dump(socket, messages.getRule);
  const sets = dump(socket, messages.getSet);
  const objects = dump(socket, messages.getObject);
  return tables.map(({ family, attributes }) => {
    const name = text(attributes, 1);
    const own = (entry: Entry) => entry.family === family && text(entry.attributes, 1) === name;
    const ownRules = rules.filter(own).map((entry) => entry.attributes);
    const ownSets = sets.filter(own).map((entry) => readSet(socket, family, name, entry.attributes));
    const ownChains = chains.filter(own).map((entry) => readChain(family, entry.attributes, ownRules));
    const ownObjects = objects.filter(own).map((entry) => ({
      name: text(entry.attributes, 2),
      type: objectTypes[number32(entry.attributes, 3) ?? 0] ?? 'unknown',
    }));
    return {
      family,
      name,
      dormant: ((number32(attributes, 2) ?? 0) & 1) === 1,
      chains: new Map(ownChains.map((chain) => [chain.name, chain])),
      sets: new Map(ownSets.map((set) => [set.name, set])),
      objects: new Map(ownObjects.map((object) => [object.name, object])),
    };
  });
}

function readChain(family: Family, attributes: Attributes, rules: readonly Attributes[]): Chain {
  const name = text(attributes, 3);
  return {
    name,
    base: attributes.has(4) ? readBase(family, attributes) : null,
    rules: rules.filter((rule) => text(rule, 2) === name).map(readRule),
  };
}

function readBase(family: Family, attributes: Attributes): BaseChain {
  const hook = nested(attributes, 4);
  const type = text(attributes, 7);
  if (type !== 'filter' && type !== 'nat' && type !== 'route') throw new RangeError(`chain type ${type}`);
  const list = hook.get(4);
  const single = text(hook, 3);
  const devices =
    list === undefined
      ? single === ''
        ? []
        : [single]
      : attributeList(list).map(([, value]) => value.toString('utf8').replace(/\0+$/, ''));
  return {
    type,
    hook: hookOf(family, number32(hook, 1) ?? -1),
    priority: (number32(hook, 2) ?? 0) | 0,
    policy: (number32(attributes, 5) ?? 1) === 0 ? 'drop' : 'accept',
    devices,
  };
}

function readRule(attributes: Attributes): Rule {
  return {
    handle: Number(attributes.get(3)?.readBigUInt64BE(0) ?? 0n),
    expressions: readExpressions(attributes.get(4) ?? Buffer.alloc(0)),
  };
}

const setMap = 8;
const setObject = 64;
const setInterval = 4;
const setDynamic = 32;
const dataVerdict = 0xffff_ff00;

function readSet(socket: NetlinkSocket, family: Family, table: string, attributes: Attributes): NftSet {
  const name = text(attributes, 2);
  const flags = number32(attributes, 3) ?? 0;
  const keyBytes = number32(attributes, 5) ?? 0;
  const fields = attributeList(nested(attributes, 9).get(2) ?? Buffer.alloc(0)).map(
    ([, field]) => number32(readAttributes(field), 1) ?? 0,
  );
  const raw = readElements(socket, family, table, name);
  const plain = raw.filter((element) => element.key.length > 0);
  const ranges = (flags & setInterval) !== 0 && fields.length < 2;
  const parts = fields.length < 2 && !ranges ? concatenated(number32(attributes, 4) ?? 0, keyBytes) : fields;
  const catchAll = raw.find((element) => element.key.length === 0);
  return {
    name,
    dynamic: (flags & setDynamic) !== 0,
    keyBytes,
    fieldBytes: parts.length < 2 ? [keyBytes] : parts,
    holds:
      (flags & setObject) !== 0
        ? 'objects'
        : (flags & setMap) === 0
          ? 'keys'
          : number32(attributes, 6) === dataVerdict
            ? 'verdicts'
            : 'values',
    elements: ranges ? closeIntervals(plain) : plain.map((one) => ranged(one, one.keyEnd ?? one.key)),
    catchAll: catchAll === undefined ? null : ranged(catchAll, []),
  };
}

/** Bytes of nft's types (its numbers, six bits each in the type of a concatenation). */
const typeBytes: Readonly<Record<number, number>> = {
  2: 1,
  7: 4,
  8: 16,
  9: 6,
  10: 2,
  12: 1,
  13: 2,
  14: 1,
  19: 4,
  20: 4,
  26: 4,
  29: 1,
  31: 1,
  41: 16,
};

/** Without ranges the kernel does not know the fields of a concatenation; nft's type of the key tells. */
function concatenated(type: number, keyBytes: number): number[] {
  const parts: number[] = [];
  for (let rest = type; rest > 0; rest = Math.floor(rest / 64)) parts.unshift(typeBytes[rest % 64] ?? 0);
  const padded = parts.reduce((sum, bytes) => sum + Math.ceil(bytes / 4) * 4, 0);
  return parts.includes(0) || padded !== keyBytes ? [] : parts;
}

function readElements(socket: NetlinkSocket, family: Family, table: string, set: string): RawElement[] {
  const body = Buffer.concat([header(familyNumbers[family]), attribute(1, table), attribute(2, set)]);
  return dump(socket, messages.getSetElement, body).flatMap(({ attributes }) =>
    attributeList(attributes.get(3) ?? Buffer.alloc(0)).map(([, element]) => readElement(element)),
  );
}

function readElement(data: Buffer): RawElement {
  const attributes = readAttributes(data);
  const flags = number32(attributes, 3) ?? 0;
  const value = nested(attributes, 2);
  return {
    key: dataValue(attributes, 1),
    keyEnd: attributes.has(10) ? dataValue(attributes, 10) : null,
    endsInterval: (flags & 1) === 1,
    value: value.has(1) ? [...(value.get(1) ?? [])] : null,
    verdict: value.has(2) ? readVerdict(value) : null,
    expressions: elementExpressions(attributes),
  };
}

function elementExpressions(attributes: Attributes): Expression[] {
  const single = attributes.get(7);
  if (single !== undefined) return [readExpression(single)];
  return readExpressions(attributes.get(11) ?? Buffer.alloc(0));
}
