/** What survives in the decisions on addresses, DNS messages and pins (F1). */
import { type Survivor, survivorsOf } from './survivor.ts';

export const inAddressesAndNames: readonly Survivor[] = [
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
  ...survivorsOf(
    'pin-address/ip-address.ts',
    [
      'if (value === -1 || filled === 3) return null;',
      'if (value === -1 || false) return null;',
      'a fifth number is refused at the end, where four are counted',
    ],
    [
      "const quad = text[at] === '.' ? parseIpv4(text.slice(start)) : null;",
      'const quad = true ? parseIpv4(text.slice(start)) : null;',
      'what is left is no dotted quad unless a dot stands here: the check saves work alone',
    ],
    [
      'if (text.length > longestText) return null;',
      'if (false) return null;',
      'no longer text is an address: the bound only saves work',
    ],
    [
      'for (let start = 0; start < groups.length; start++) {',
      'for (let start = 0; start <= groups.length; start++) {',
      'behind the last group there is no zero',
    ],
    [
      "const [, address = '', digits = ''] = /^([^/]+)\\/(\\d{1,3})$/.exec(text) ?? [];",
      'const [, address = "Stryker was here!", digits = \'\'] = /^([^/]+)\\/(\\d{1,3})$/.exec(text) ?? [];',
      'it is no address either',
    ],
    [
      "const [, address = '', digits = ''] = /^([^/]+)\\/(\\d{1,3})$/.exec(text) ?? [];",
      'const [, address = \'\', digits = "Stryker was here!"] = /^([^/]+)\\/(\\d{1,3})$/.exec(text) ?? [];',
      'without digits there is no address, which is refused first',
    ],
    [
      "const [, address = '', digits = ''] = /^([^/]+)\\/(\\d{1,3})$/.exec(text) ?? [];",
      "const [, address = '', digits = ''] = /^([^/]+)\\/(\\d{1,3})$/.exec(text) ?? [\"Stryker was here\"];",
      'what stands for the whole match is left out: the parts are absent all the same',
    ],
    [
      'for (let bit = length; bit < bytes.length * 8; bit++) {',
      'for (let bit = length; bit <= bytes.length * 8; bit++) {',
      'behind the last octet there is no bit',
    ],
  ),
  ...survivorsOf(
    'pin-address/pin-address.ts',
    [
      "const sixToFour: Decoder = { name: '6to4 (RFC 3056)', octets: [2, 3, 4, 5], zeroOctet: false, nat64: false };",
      "const sixToFour: Decoder = { name: '6to4 (RFC 3056)', octets: [2, 3, 4, 5], zeroOctet: false, nat64: true };",
      '2002::/16 lies in 2000::/3 and in no list: there is nothing to be exempt from',
    ],
    [
      'nat64: false,',
      'nat64: true,',
      'ISATAP is asked after the exemption was decided: its flag is never read',
    ],
    [
      'this.leaves = from === undefined ? [] : [...from.leaves];',
      'this.leaves = from === undefined ? ["Stryker was here"] : [...from.leaves];',
      'no entry of the trie names the leaf in front',
    ],
    [
      'this.#known = new Map(from === undefined ? [] : from.#known);',
      'this.#known = new Map(true ? [] : from.#known);',
      'what is known twice is two equal leaves: knowing saves room alone',
    ],
    [
      'if (next === undefined) {',
      'if (true) {',
      'what was changed before is changed to the same leaf again: remembering saves work alone',
    ],
    [
      'if (index === this.leaves.length) this.leaves.push(leaf);',
      'if (true) this.leaves.push(leaf);',
      'a leaf that stands twice is found at its first place',
    ],
    [
      'this.#known.set(key, index);',
      ';',
      'what is known twice is two equal leaves: knowing saves room alone',
    ],
    [
      "const everything = parsePrefix('::/0', 'built in');",
      'const everything = parsePrefix(\'::/0\', "");',
      'what is built in is well-formed: the word would stand in a refusal alone',
    ],
    [
      "tries.ipv6.paint(parsePrefix(globalUnicast, 'built in'), (leaf) => ({ ...leaf, private: null }));",
      'tries.ipv6.paint(parsePrefix(globalUnicast, ""), (leaf) => ({ ...leaf, private: null }));',
      'what is built in is well-formed: the word would stand in a refusal alone',
    ],
    [
      "function paint(tries: Tries, text: string, change: (leaf: Leaf) => Leaf, field = 'built in'): void {",
      'function paint(tries: Tries, text: string, change: (leaf: Leaf) => Leaf, field = ""): void {',
      'what is built in is well-formed: the word would stand in a refusal alone',
    ],
    [
      'if (leaf.decoders.some(({ name }) => name === decoder.name)) return leaf;',
      'if (false) return leaf;',
      'a decoder that stands twice decides twice alike',
    ],
    [
      'if (leaf.decoders.some(({ name }) => name === decoder.name)) return leaf;',
      'if (leaf.decoders.some(() => undefined)) return leaf;',
      'a decoder that stands twice decides twice alike',
    ],
    [
      'if (leaf.decoders.some(({ name }) => name === decoder.name)) return leaf;',
      'if (leaf.decoders.some(({ name }) => false)) return leaf;',
      'a decoder that stands twice decides twice alike',
    ],
    [
      'return { name: `NAT64 ${text} (RFC 6052)`, octets, zeroOctet: lengthBits < 96, nat64: true };',
      'return { name: `NAT64 ${text} (RFC 6052)`, octets, zeroOctet: true, nat64: true };',
      'under a /96 that was accepted bits 64 to 71 are the prefix’s, hence zero',
    ],
    [
      'return { name: `NAT64 ${text} (RFC 6052)`, octets, zeroOctet: lengthBits < 96, nat64: true };',
      'return { name: `NAT64 ${text} (RFC 6052)`, octets, zeroOctet: lengthBits <= 96, nat64: true };',
      'under a /96 that was accepted bits 64 to 71 are the prefix’s, hence zero',
    ],
  ),
  ...survivorsOf(
    'pin-address/prefix-trie.ts',
    [
      'while (lengthBits > (depth + 1) * 8) {',
      'while (lengthBits >= (depth + 1) * 8) {',
      'a prefix of whole octets is painted one level deeper: the same leaves in more nodes',
    ],
    [
      'if (this.#nodes * fanOut > this.#entries.length) {',
      'if (this.#nodes * fanOut >= this.#entries.length) {',
      'the room grows one node earlier',
    ],
  ),
  ...survivorsOf('pin-ledger/ledger-state.ts', [
    "actionId >= '0' && actionId < ':' ? actionId : `action ${actionId}`;",
    "actionId > '0' && actionId < ':' ? actionId : `action ${actionId}`;",
    'the first own id is 1: an action of the id 0 is nobody’s, under either key',
  ]),
  ...survivorsOf(
    'pin-ledger/pin-ledger.ts',
    [
      'const places = wanted.length > 1 ? new Map<string, number>() : null;',
      'const places = true ? new Map<string, number>() : null;',
      'one element meets itself nowhere: a map of it costs work alone',
    ],
    [
      'const places = wanted.length > 1 ? new Map<string, number>() : null;',
      'const places = wanted.length >= 1 ? new Map<string, number>() : null;',
      'one element meets itself nowhere: a map of it costs work alone',
    ],
    [
      'if (timeoutMs === null) continue;',
      'if (false) continue;',
      'what is in no batch stands: its expiry is no earlier, and of what has expired since nothing is there to delete',
    ],
    [
      'if (known?.entries.includes(entry) === true) {',
      'if (false) {',
      'in place or as a new pin, it is the same: a new one costs more',
    ],
    [
      'if (known?.entries.includes(entry) === true) {',
      'if (known?.entries.includes(entry) === false) {',
      'in place or as a new pin, it is the same, since the report adds the entry where it is missing',
    ],
    [
      'if (known?.entries.includes(entry) === true) { known.leastExpiryMs = leastExpiryMs; known.mostExpiryMs = mostExpiryMs; known.leaving = false; continue; }',
      'if (known?.entries.includes(entry) === true) {}',
      'in place or as a new pin, it is the same: a new one costs more',
    ],
    [
      'else if (family !== null) this.#deleteSet(tap, family, attempt + 1);',
      'else if (true) this.#deleteSet(tap, family, attempt + 1);',
      'sets are made only for a sandbox that is there: of one that is gone nothing but deletions is in flight',
    ],
    [
      'putPin(own, key, { element, leastExpiryMs: 0, mostExpiryMs, entries: [], leaving: false });',
      'putPin(own, key, { element, leastExpiryMs: 0, mostExpiryMs, entries: [], leaving: true });',
      'the delete that is issued for it in the same step marks it as leaving',
    ],
    [
      'if (pin === undefined) continue;',
      'if (false) continue;',
      'the keys are those of pins that are there: the check satisfies the type',
    ],
  ),
];
