/**
 * The mutants of `reference/decisions` that no test kills, each with the reason why none should.
 * Invariant: the list is exact. `pnpm test:mutation` fails for a survivor that is not here, and for an entry whose
 * mutant is killed or gone.
 */

export interface Survivor {
  readonly file: string;
  /** The line as it stands, and as the mutant has it. */
  readonly was: string;
  readonly becomes: string;
  /** Why the mutant is no mistake: what it does is the same, or what it does otherwise is nobody's requirement. */
  readonly why: string;
  /** In how many places of the file; 1 when absent. */
  readonly times?: number;
}

/** Survivors of one file. */
function of(
  file: string,
  ...entries: readonly (readonly [was: string, becomes: string, why: string])[]
): Survivor[] {
  return entries.map(([was, becomes, why]) => ({ file: `reference/decisions/${file}`, was, becomes, why }));
}

export const survivors: readonly Survivor[] = [
  ...of(
    'agent-step.ts',
    [
      "if (state.phase !== 'reseeding' || event.generation !== state.generation) return ignore(state);",
      'if (false || event.generation !== state.generation) return ignore(state);',
      'the agent has a request only while it reseeds, and a result without a request is ignored all the same',
    ],
    [
      "if (state.phase !== 'repairing' || event.generation !== state.generation || state.reply === null) {",
      'if (false || event.generation !== state.generation || state.reply === null) {',
      'the agent has a reply only while it repairs, and without one the event is ignored all the same',
    ],
  ),
  ...of(
    'dns-answer/allowlist.ts',
    [
      'if (below.size === 0) return found;',
      'if (false) return found;',
      'a shortcut: without wildcards the loop finds nothing to add',
    ],
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
  ),
  ...of('dns-answer/dns-build.ts', [
    'if (edns) writer.opt(udpPayloadOctets);',
    'if (true) writer.opt(udpPayloadOctets);',
    'the buffer has room for what was counted alone: octets of an OPT that was not lie behind its end',
  ]),
  ...of('dns-answer/dns-reply.ts', [
    'while (at < query.length && query[at] !== 0) {',
    'while (at <= query.length && query[at] !== 0) {',
    'behind the end there is no label: the walk leaves the message, and nothing there is class IN',
  ]),
  ...of(
    'dns-answer/name.ts',
    [
      'if (at + 1 >= message.length || target >= lowest || target < headerOctets) return null;',
      'if (at + 1 >= message.length || target > lowest || target < headerOctets) return null;',
      'a pointer to where the name began is followed until the bound on pointers or on length refuses it',
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
  ...of(
    'dns-answer/wire.ts',
    [
      'if (this.#offsets.length < 16) {',
      'if (true) {',
      'how many names are kept decides the work alone; 16 is a choice',
    ],
    [
      'if (this.#offsets.length < 16) {',
      'if (this.#offsets.length <= 16) {',
      'how many names are kept decides the work alone; 16 is a choice',
    ],
    [
      'for (let index = start; index < end; index++)',
      'for (let index = start; index <= end; index++)',
      'one octet more is overwritten by what is written next, or lies behind the end',
    ],
  ),
  ...of(
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
  ...of(
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
  ...of(
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
  ...of('kernel-digest.ts', [
    "return this.#go({ do: 'unlink', path: this.#policy.destination }, rule, 'unlink-destination');",
    'return this.#go({ do: \'unlink\', path: this.#policy.destination }, rule, "");',
    'the result that is awaited last ends the run, under whatever name it is awaited',
  ]),
  ...of(
    'pin-ledger/pin-ledger.ts',
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
  ...of(
    'select-husk/address-owners.ts',
    [
      "return this.#owners.get(addressKey(address) ?? '') === shared;",
      'return this.#owners.get(addressKey(address) ?? "Stryker was here!") === shared;',
      'who asks has refused what is no address before; neither text is one',
    ],
    [
      'for (let index = 0; index < this.#pods.length; index++) {',
      'for (let index = 0; index <= this.#pods.length; index++) {',
      'behind the last pod there is none, and it names no address',
    ],
    [
      'if (address !== first) note(owners, address, index);',
      'if (true) note(owners, address, index);',
      'a pod that names an address twice still is one pod: the check saves work alone',
    ],
    [
      'if (key === null) return;',
      'if (false) return;',
      'what is no address is noted under a key that nobody asks for',
    ],
  ),
  ...of('select-husk/kept-pod.ts', [
    "if (typeof value !== 'object' || value === null || seen.has(value)) continue;",
    'if (false || value === null || seen.has(value)) continue;',
    'what is no object cannot change: to freeze it does nothing',
  ]),
  ...of('select-husk/pod-address.ts', [
    "if (typeof text !== 'string' || text.length > longestAddress) return null;",
    "if (typeof text !== 'string' || false) return null;",
    'a longer text is no address: whatever key it has is the key of none',
  ]),
  ...of(
    'select-husk/select-husk.ts',
    [
      'const start = pods.length === 0 ? 0 : spread(holder) % pods.length;',
      'const start = false ? 0 : spread(holder) % pods.length;',
      'without pods the place to begin at is never used',
    ],
    [
      'if (index > 0 && address === addresses[0]) continue;',
      'if (false) continue;',
      'an address that is judged twice is judged alike: the check saves work alone',
    ],
  ),
  ...of(
    'claim-step/claim-life.ts',
    [
      "const readyAt = Date.parse(textOf(fieldOf(status, 'readyAt')) ?? '');",
      'const readyAt = Date.parse(textOf(fieldOf(status, \'readyAt\')) ?? "Stryker was here!");',
      'neither text is a date',
    ],
    [
      'secrets: secrets ?? [],',
      'secrets: secrets ?? ["Stryker was here"],',
      'a claim with unreadable Secrets is settled, and nothing is delivered to it',
    ],
    [
      'const checkpoint = held.length > 0 ? dehydrate(config, state, event, claim, seat) : null;',
      'const checkpoint = true ? dehydrate(config, state, event, claim, seat) : null;',
      'without a record of its own no pod is selected, and nothing is written back',
    ],
    [
      'const checkpoint = held.length > 0 ? dehydrate(config, state, event, claim, seat) : null;',
      'const checkpoint = held.length >= 0 ? dehydrate(config, state, event, claim, seat) : null;',
      'without a record of its own no pod is selected, and nothing is written back',
    ],
    [
      "const { pod } = selectHusk({ pool, pods, ledger, operation: 'dehydrate', holder, podUid });",
      'const { pod } = selectHusk({ pool, pods, ledger, operation: "", holder, podUid });',
      'the operation is for the reader: what is selected follows from holder and pod',
    ],
  ),
  ...of(
    'claim-step/fork-life.ts',
    [
      "const found = selectHusk({ pool, pods, ledger, operation: 'fork-source', holder: claim, podUid: pod.uid });",
      'const found = selectHusk({ pool, pods, ledger, operation: "", holder: claim, podUid: pod.uid });',
      'the operation is for the reader: what is selected follows from holder and pod',
    ],
    [
      "if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 1 || replicas > maxReplicas) {",
      'if (false || !Number.isInteger(replicas) || replicas < 1 || replicas > maxReplicas) {',
      'an integer is a number: the check satisfies the type',
    ],
  ),
  ...of(
    'claim-step/owner-view.ts',
    [
      "const created = Date.parse(textOf(fieldOf(metadata, 'creationTimestamp')) ?? '');",
      'const created = Date.parse(textOf(fieldOf(metadata, \'creationTimestamp\')) ?? "Stryker was here!");',
      'neither text is a date',
    ],
    [
      "return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;",
      'return true && Number.isSafeInteger(value) && value > 0 ? value : 0;',
      'an integer is a number: the check satisfies the type',
    ],
    [
      "return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;",
      "return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;",
      'zero is zero either way',
    ],
    [
      "const phases: readonly unknown[] = ['Pending', 'Restoring', 'Ready', 'Failed'];",
      "const phases: readonly unknown[] = [\"\", 'Restoring', 'Ready', 'Failed'];",
      'what is no phase is Pending, and the empty text is read as Pending’s own',
    ],
  ),
  ...of(
    'claim-step/seat.ts',
    [
      "return husk === null ? none(state, 'no intent') : pursue(context, state, husk);",
      'return husk === null ? none(state, "") : pursue(context, state, husk);',
      'who comes here has an intent: the check satisfies the type',
    ],
    [
      "return husk === null ? none(state, 'no intent') : pursue(context, state, husk);",
      "return false ? none(state, 'no intent') : pursue(context, state, husk);",
      'who comes here has an intent: the check satisfies the type',
    ],
    [
      "if (seat.phase === 'Failed') return none(state, 'failed, nothing left');",
      'if (seat.phase === \'Failed\') return none(state, "");',
      'a seat that failed leaves the word to its claim or fork',
    ],
    [
      'const candidate = [...mine].sort((a, b) => (a.pod.uid < b.pod.uid ? -1 : 1))[0];',
      'const candidate = [...mine].sort((a, b) => (a.pod.uid <= b.pod.uid ? -1 : 1))[0];',
      'no two pods have one UID',
    ],
    [
      "const selection = selectHusk({ pool, pods, ledger, operation: 'activate', holder, podUid: null });",
      'const selection = selectHusk({ pool, pods, ledger, operation: "", holder, podUid: null });',
      'the operation is for the reader: what is selected follows from holder and pod',
    ],
    [
      "return selectHusk({ pool, pods, ledger, operation: 'activate', holder, podUid: pod.uid });",
      'return selectHusk({ pool, pods, ledger, operation: "", holder, podUid: pod.uid });',
      'the operation is for the reader: what is selected follows from holder and pod',
    ],
  ),
];
