/** What survives in the decisions on DNS messages and their names (F1). */
import { type Survivor, survivorsOf } from './survivor.ts';

export const inMessagesAndNames: readonly Survivor[] = [
  ...survivorsOf(
    'dns-answer/allowlist.ts',
    [
      'for (let at = (name[0] as number) + 1; at < name.length - 1; at += (name[at] as number) + 1) {',
      'for (let at = (name[0] as number) + 1; at <= name.length - 1; at += (name[at] as number) + 1) {',
      'no wildcard stands below the root: what is looked up for it is never there',
    ],
    [
      'for (let at = (name[0] as number) + 1; at < name.length - 1; at += (name[at] as number) + 1) {',
      'for (let at = (name[0] as number) + 1; at < name.length + 1; at += (name[at] as number) + 1) {',
      'as above: neither the root nor what is behind it is ever a wildcard',
    ],
    [
      'if (all.length < 2) return all;',
      'if (false) return all;',
      'a shortcut: one port by itself stands there once',
    ],
    [
      'const [, scheme, host, digits] = /^(?:(tcp|udp):\\/\\/)?(.+):(\\d{1,5})$/s.exec(entry) ?? [];',
      'const [, scheme, host, digits] = /^(?:(tcp|udp):\\/\\/)?(.+):(\\d{1,5})$/s.exec(entry) ?? ["Stryker was here"];',
      'what stands for the whole match is left out: the parts are absent all the same',
    ],
    [
      'const [, scheme, host, digits] = /^(?:(tcp|udp):\\/\\/)?(.+):(\\d{1,5})$/s.exec(entry) ?? [];',
      'const [, scheme, host, digits] = /(?:(tcp|udp):\\/\\/)?(.+):(\\d{1,5})$/s.exec(entry) ?? [];',
      'the first match is sought from the left, and where there is any there is one at the beginning',
    ],
    [
      "if (host === undefined || !(port >= 1 && port <= 65_535)) throw refuse('it has no port from 1 to 65535');",
      "if (false || !(port >= 1 && port <= 65_535)) throw refuse('it has no port from 1 to 65535');",
      'without a host there are no digits either, and no port: the check satisfies the type',
    ],
    [
      'if (known === undefined) table.add(name, ports);',
      'if (true) table.add(name, ports);',
      'the same list under the same name once more: the first is found',
    ],
    [
      'if (below.isEmpty) return found;',
      'if (false) return found;',
      'a shortcut: without wildcards none is found, and no exact entry gives a port twice',
    ],
    [
      'if (more !== undefined) all = all.length === 0 ? more : [...all, ...more];',
      'if (more !== undefined) all = false ? more : [...all, ...more];',
      'a copy of the list instead of the list',
    ],
  ),
  ...survivorsOf(
    'dns-answer/dns-build.ts',
    [
      "let key = '';",
      'let key = "Stryker was here!";',
      'what every key begins with tells no two of them apart',
    ],
    [
      "let first: number | string = '';",
      'let first: number | string = "Stryker was here!";',
      'neither is the key of an address: those are numbers, or eight characters',
    ],
    [
      'if (addresses.length === 0) {',
      'if (false) {',
      'a shortcut: the first address may be looked for among the others, as they are',
    ],
    [
      'if (addresses.length === 0) { first = key; addresses = [{ offset, length }]; continue; }',
      'if (addresses.length === 0) {}',
      'a shortcut: the first address may be looked for among the others, as they are',
    ],
    [
      'if (!reply.answers.some(isLink)) return [];',
      'if (false) return [];',
      'a shortcut: where there is no link the walk ends before its first step',
    ],
    [
      'if (length === 4) return u16(bytes, offset) * 65_536 + u16(bytes, offset + 2);',
      'if (false) return u16(bytes, offset) * 65_536 + u16(bytes, offset + 2);',
      'two characters tell IPv4 addresses apart as well as a number does; they cost more',
    ],
    [
      'if (length === 4) return u16(bytes, offset) * 65_536 + u16(bytes, offset + 2);',
      'if (length === 4) return u16(bytes, offset) * 65_536 - u16(bytes, offset + 2);',
      'what is taken away is less than 65,536: no two addresses have one difference',
    ],
    [
      'if (length === 4) return u16(bytes, offset) * 65_536 + u16(bytes, offset + 2);',
      'if (length === 4) return u16(bytes, offset) / 65_536 + u16(bytes, offset + 2);',
      'one half before the point and one behind it, exactly: no two addresses have one sum',
    ],
    [
      'if (edns) writer.opt(udpPayloadOctets, rcode.noError);',
      'if (true) writer.opt(udpPayloadOctets, rcode.noError);',
      'the buffer has room for what was counted alone: octets of an OPT that was not lie behind its end',
    ],
  ),
  ...survivorsOf('dns-answer/dns-query.ts', [
    'if (edns) writer.opt(udpPayloadOctets, code);',
    'if (true) writer.opt(udpPayloadOctets, code);',
    'the buffer has room for what was counted alone: octets of an OPT that was not lie behind its end',
  ]),
  ...survivorsOf('dns-answer/dns-reply.ts', [
    'while (at < query.length && query[at] !== 0) {',
    'while (at <= query.length && query[at] !== 0) {',
    'behind the end there is no label: the walk leaves the message, and nothing there is class IN',
  ]),
  ...survivorsOf(
    'dns-answer/name.ts',
    [
      'if (at >= limit) return null;',
      'if (at > limit) return null;',
      'at the limit begins what led there, which ends beyond it, or the message is over: null at the next octet',
    ],
    [
      'for (let at = 0; at < name.length; at++) latin1[at] = name[at] as number;',
      'for (let at = 0; at <= name.length; at++) latin1[at] = name[at] as number;',
      'the octet behind the name is no part of the key, or is overwritten by the number',
    ],
    [
      'for (let at = skip; at < whole.length; at++) scratch[length + at - skip] = whole[at] as number;',
      'for (let at = skip; at <= whole.length; at++) scratch[length + at - skip] = whole[at] as number;',
      'one octet more lies behind the root, where nothing is copied from',
    ],
    [
      'if (target >= start || target < headerOctets) return null;',
      'if (false || target < headerOctets) return null;',
      'what does not lead back is at the limit or behind it, where nothing is read',
    ],
    [
      'if (target >= start || target < headerOctets) return null;',
      'if (target > start || target < headerOctets) return null;',
      'what does not lead back is at the limit or behind it, where nothing is read',
    ],
    [
      'if (octet > maxLabelOctets || length + octet + 1 > maxNameOctets) return null;',
      'if (octet > maxLabelOctets || length - octet + 1 > maxNameOctets) return null;',
      'the root at the end of a name that is too long is refused by the same bound',
    ],
    ['if (a === b) return true;', 'if (false) return true;', 'a shortcut: a name has the octets of itself'],
    [
      'for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;',
      'for (let at = 0; at <= a.length; at++) if (a[at] !== b[at]) return false;',
      'behind the roots of two equal names there is nothing in either',
    ],
  ),
  ...survivorsOf(
    'dns-answer/name-index.ts',
    [
      'this.#names = [];',
      'this.#names = ["Stryker was here"];',
      'a name has the place that the length says before it is added, whatever stands in front of it',
    ],
    [
      'return at < reachedOctets && (segmentAt[at] as number) >= this.#first;',
      'return true && (segmentAt[at] as number) >= this.#first;',
      'behind the array stands undefined, which is never at least a number; the check keeps reads inside',
    ],
    [
      'return at < reachedOctets && (segmentAt[at] as number) >= this.#first;',
      'return at <= reachedOctets && (segmentAt[at] as number) >= this.#first;',
      'as above: what stands at the end of the array is undefined too',
    ],
    [
      'if (at >= reachedOctets) return;',
      'if (at > reachedOctets) return;',
      'a segment that begins behind the array is one that no place leads to',
    ],
    [
      '#names: WireName[] = [];',
      '#names: WireName[] = ["Stryker was here"];',
      'begin() makes it anew before a name is read',
    ],
    ['#reading = false;', '#reading = true;', 'a new index forgets what it knows in either case'],
    ['#segment = -1;', '#segment = +1;', 'begin() sets it before a name is read'],
    ['#waiting = -1;', '#waiting = +1;', 'begin() sets it before a name is read'],
    [
      'if (this.#waiting !== -1) targetEnds[this.#waiting] = end;',
      'if (true) targetEnds[this.#waiting] = end;',
      'at -1 an array of octets takes nothing',
    ],
    [
      'if (this.#segment !== -1) ends[this.#segment] = end;',
      'if (true) ends[this.#segment] = end;',
      'at -1 an array of octets takes nothing',
    ],
    [
      'if (this.#segment !== -1) targetEnds[this.#segment] = targetEnd;',
      'if (true) targetEnds[this.#segment] = targetEnd;',
      'at -1 an array of octets takes nothing',
    ],
    [
      'if (this.#segment !== -1) targetEnds[this.#segment] = targetEnd;',
      'if (this.#segment !== +1) targetEnds[this.#segment] = targetEnd;',
      'segment 1 runs into none but 0, which a root ends then, or 1 were what its pointer leads to: both say 0',
    ],
    [
      'for (let segment = this.#opened; segment < next; segment++) {',
      'for (let segment = this.#opened; segment <= next; segment++) {',
      'what is said of a segment that is not opened yet is said anew when it is',
    ],
    [
      'if (next > this.#opened && this.#holder === this.#names.length) this.#names.push(name);',
      'if (next > this.#opened && true) this.#names.push(name);',
      'a name that opens a segment is its holder: it begins where nothing is known, or in the middle of it',
    ],
  ),
  ...survivorsOf(
    'dns-answer/name-table.ts',
    [
      'for (let at = offset; at < name.length; at++) hash = Math.imul(hash ^ (name[at] as number), 0x01000193);',
      'for (let at = offset; at <= name.length; at++) hash = Math.imul(hash ^ (name[at] as number), 0x01000193);',
      'one step more, the same for every name: equal hashes stay equal, and others apart',
    ],
    [
      'for (let at = 0; at < end.length; at++) if (name[offset + at] !== end[at]) return false;',
      'for (let at = 0; at <= end.length; at++) if (name[offset + at] !== end[at]) return false;',
      'behind the roots of two equal names there is nothing in either',
    ],
  ),
  ...survivorsOf(
    'dns-answer/wire.ts',
    [
      'readonly #names: NameAt[] = [];',
      'readonly #names: NameAt[] = ["Stryker was here"];',
      'a place is written before it is read',
    ],
    [
      'if (this.#count < fewNames) {',
      'if (false) {',
      'a shortcut: the index finds the same names; for few of them it costs more',
    ],
    [
      'if (this.#count < fewNames) {',
      'if (this.#count >= fewNames) {',
      'a shortcut: the index finds the same names; for few of them it costs more',
    ],
    [
      'if (this.#count < fewNames) {',
      'if (this.#count <= fewNames) {',
      'the list has no room for the offset of a ninth name: it is not found there',
    ],
    [
      'for (let index = start; index < end; index++)',
      'for (let index = start; index <= end; index++)',
      'one octet more is overwritten by what is written next, or lies behind the end',
    ],
    [
      'return this.at === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.at);',
      'return false ? this.#bytes : this.#bytes.subarray(0, this.at);',
      'a view of the whole has the same octets; it costs more',
    ],
  ),
];
