/** What survives in the decisions on addresses and pins (F1). */
import { type Survivor, survivorsOf } from './survivor.ts';

export const inAddressesAndNames: readonly Survivor[] = [
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
  ...survivorsOf(
    'pin-ledger/expiry-heap.ts',
    [
      'if (parent.atMs <= added.atMs) break;',
      'if (parent.atMs < added.atMs) break;',
      'of two that expire at one moment either may be in front',
    ],
    [
      'const isRight = right !== undefined && right.atMs < (left as Expiry).atMs;',
      'const isRight = right !== undefined && right.atMs <= (left as Expiry).atMs;',
      'of two that expire at one moment either may be in front',
    ],
    [
      'if (sooner === undefined || sooner.atMs >= added.atMs) break;',
      'if (sooner === undefined || sooner.atMs > added.atMs) break;',
      'of two that expire at one moment either may be in front',
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
      'const inBatch = wanted.length > 1 ? new Map<string, WantedElement>() : null;',
      'const inBatch = true ? new Map<string, WantedElement>() : null;',
      'one element meets itself nowhere: a map of it costs work alone',
    ],
    [
      'const inBatch = wanted.length > 1 ? new Map<string, WantedElement>() : null;',
      'const inBatch = wanted.length >= 1 ? new Map<string, WantedElement>() : null;',
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
  ...survivorsOf('pin-ledger/pin-lives.ts', [
    'if (wanted.length === 1) return [lifeOf(first.address, leftMs(own, first, nowMs))];',
    'if (false) return [lifeOf(first.address, leftMs(own, first, nowMs))];',
    'a shortcut: the least life of one element is its own; a map of it costs work alone',
  ]),
];
