/** What survives in the decisions on kernels, pods, claims and forks (F2, F3, F5, F6). */
import { type Survivor, survivorsOf } from './survivor.ts';

export const inKernelsPodsAndForks: readonly Survivor[] = [
  ...survivorsOf(
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
  ...survivorsOf('kernel-digest.ts', [
    "return this.#go({ do: 'unlink', path: this.#policy.destination }, rule, 'unlink-destination');",
    'return this.#go({ do: \'unlink\', path: this.#policy.destination }, rule, "");',
    'the result that is awaited last ends the run, under whatever name it is awaited',
  ]),
  ...survivorsOf(
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
  ...survivorsOf('select-husk/kept-pod.ts', [
    "if (typeof value !== 'object' || value === null || seen.has(value)) continue;",
    'if (false || value === null || seen.has(value)) continue;',
    'what is no object cannot change: to freeze it does nothing',
  ]),
  ...survivorsOf('select-husk/pod-address.ts', [
    "if (typeof text !== 'string' || text.length > longestAddress) return null;",
    "if (typeof text !== 'string' || false) return null;",
    'a longer text is no address: whatever key it has is the key of none',
  ]),
  ...survivorsOf(
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
  ...survivorsOf(
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
  ...survivorsOf(
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
  ...survivorsOf(
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
  ),
  ...survivorsOf(
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
  ...survivorsOf(
    'json-values.ts',
    [
      "if (typeof value === 'string') return JSON.stringify(value);",
      'if (false) return JSON.stringify(value);',
      'a shortcut: what is neither list nor object is written alike further down',
    ],
    [
      "if (typeof value === 'string') return JSON.stringify(value);",
      'if (typeof value === "") return JSON.stringify(value);',
      'a shortcut: what is neither list nor object is written alike further down',
    ],
  ),
  ...survivorsOf('authorize-claim/access-questions.ts', [
    "const uid = textOf(fieldOf(fieldOf(fieldOf(answer, 'body'), 'metadata'), 'uid')) ?? '';",
    "const uid = textOf(fieldOf(fieldOf(fieldOf(answer, 'body'), 'metadata'), 'uid')) ?? \"Stryker was here!\";",
    'an account without a UID was refused before; the text satisfies the type alone',
  ]),
  ...survivorsOf('authorize-claim/authorize-claim.ts', [
    "name: request.name ?? '',",
    'name: request.name ?? "Stryker was here!",',
    'a request without a name was denied before anything is stamped; the text satisfies the type alone',
  ]),
  ...survivorsOf('authorize-workspace/authorize-workspace.ts', [
    'return canonicalText(isObject(reference) ? { ...reference, blockOwnerDeletion: false } : reference);',
    'return canonicalText(isObject(reference) ? { ...reference, blockOwnerDeletion: true } : reference);',
    'both sides are given the same value: which one does not matter',
  ]),
  ...survivorsOf('authorize-workspace/guarded-fields.ts', [
    'return value === null || value === undefined || (isObject(value) && Object.keys(value).length === 0);',
    'return value === null || false || (isObject(value) && Object.keys(value).length === 0);',
    'JSON has no undefined: a field that is there has a value',
  ]),
  ...survivorsOf('authorize-workspace/workspace-request.ts', [
    'if (kind === undefined || !isKnown(request, kind))',
    'if (false || !isKnown(request, kind))',
    'no group, version and resource is known of a kind that is none: the check satisfies the type alone',
  ]),
  ...survivorsOf('resume-gate/memory-objects.ts', [
    'if (memory === null || workspace === null || revisionUid === null || principal === null) return null;',
    'if (memory === null || workspace === null || false || principal === null) return null;',
    'a head has a UID, so that a binding that names none is no binding of it',
  ]),
];
