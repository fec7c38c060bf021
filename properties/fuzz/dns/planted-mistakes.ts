/** For each invariant a one-line mistake in the codec that breaks it: an invariant that nothing breaks says nothing. */
import type { Patch } from '../../matrix/patch-source.ts';
import { mutants } from '../../mutants/dns-answer.ts';
import type { Invariant } from './finding.ts';

const build = 'reference/decisions/dns-answer/dns-build.ts';
const wire = 'reference/decisions/dns-answer/wire.ts';
const name = 'reference/decisions/dns-answer/name.ts';

function known(id: string): Patch {
  const found = mutants.find((mutant) => mutant.id === id);
  if (found === undefined) throw new Error(`there is no mutant ${id} of dns-answer`);
  return found;
}

export const plantedMistakes: Readonly<Record<Invariant, Patch>> = {
  total: {
    id: 'fuzz-chain-never-empty',
    file: build,
    find: 'chain.length === 0 ? guest.question.name : (chain[chain.length - 1] as CnameRecord).target',
    replace: '(chain[chain.length - 1] as CnameRecord).target',
  },
  work: {
    id: 'fuzz-pointers-not-counted',
    file: wire,
    find: 'if (this.#names.pointers > this.#bytes.length) return null;',
    replace: '',
  },
  size: {
    id: 'fuzz-guest-sets-the-limit',
    file: build,
    find: 'Math.min(Math.max(guest.ednsPayloadOctets ?? 512, 512), udpPayloadOctets)',
    replace: 'Math.max(guest.ednsPayloadOctets ?? 512, 512)',
  },
  reader: known('pointer-into-header'),
  truncation: known('lying-counts'),
  query: known('response-answered'),
  covert: known('upstream-id-from-guest'),
  refusal: known('malformed-refused'),
  reply: known('qr-ignored'),
  plan: known('owner-not-compared'),
  unplanned: {
    id: 'fuzz-address-off-by-one',
    file: build,
    find: 'writer.copy(reply.bytes, offset, offset + length);',
    replace: 'writer.copy(reply.bytes, offset - 1, offset - 1 + length);',
  },
  answer: {
    id: 'fuzz-ttl-beyond-the-pin',
    file: build,
    find: 'Math.min(plan.recordTtlSeconds, Math.floor(remainingSeconds))',
    replace: 'plan.recordTtlSeconds',
  },
  'fail-closed': {
    id: 'fuzz-answered-all-the-same',
    file: build,
    find: 'if (remainingSeconds === null) return emptyAnswer(guest.bytes, guest, rcode.servFail);',
    replace: 'remainingSeconds ??= 30;',
  },
};

/** A reader that never ends: what the watch is for. */
export const endless: Patch = {
  id: 'fuzz-endless-name',
  file: name,
  find: 'if (at >= limit) return null;',
  replace: '',
};
