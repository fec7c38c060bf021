/** A guest's message: forwarded as exactly the octets of the model, answered without records, or dropped. */
import type { DnsConfig } from '../../models/dns-session.ts';
import { offeredOctets, requiredOfGuest } from '../../oracles/dns/guest-oracle.ts';
import { ednsOf, readStrictly } from '../../oracles/dns/strict-reader.ts';
import type { Codec, CodecPolicy } from './codec.ts';
import { countLooks, looksAllowed } from './counted-octets.ts';
import type { Finding } from './finding.ts';
import { finding, guarded, hexOfOctets } from './judge-message.ts';

/** Header, the longest name, type and class, an OPT: nothing that goes out for a question is longer. */
const mostOctetsOut = 12 + 255 + 4 + 11;

export interface GuestContext {
  readonly codec: Codec;
  readonly config: DnsConfig;
  readonly policy: CodecPolicy;
  readonly transport: 'udp' | 'tcp';
  readonly random: { readonly id: number; readonly caseBits: Uint8Array };
}

/** The query as it went upstream, or null. */
export function judgeGuest(
  context: GuestContext,
  octets: Uint8Array,
  findings: Finding[],
): Uint8Array | null {
  const { codec, config, policy, transport, random } = context;
  const decided = guarded(octets, findings, () => codec.decideQuery(policy, octets, transport, random));
  if (decided === null) return null;
  const required = requiredOfGuest(config, octets, random);
  const out = decided.verdict === 'drop' ? null : decided.message;
  if (decided.verdict !== required.kind) {
    const invariant = required.kind === 'forward' || decided.verdict !== 'forward' ? 'query' : 'covert';
    findings.push(finding('query', octets, `${decided.verdict} [${decided.rule}]`, required.kind));
    if (invariant === 'covert') findings.push(finding(invariant, octets, 'forwarded', required.kind));
  }
  if (out !== null && out.length > mostOctetsOut)
    findings.push(finding('size', octets, `${out.length} octets go out`, `at most ${mostOctetsOut}`));
  if (out !== null && decided.verdict === 'answer') {
    const code = required.kind === 'answer' ? required.code : null;
    judgeRefusal(octets, out, code, required.kind === 'answer' ? required.read !== null : false, findings);
  }
  if (out === null || decided.verdict !== 'forward' || required.kind !== 'forward') return null;
  const wanted = Uint8Array.from(required.octets);
  if (Buffer.compare(out, wanted) !== 0) {
    findings.push(finding('covert', octets, hexOfOctets(out), hexOfOctets(wanted)));
  }
  return out;
}

/** An answer at once: ID, opcode and RD of the guest, its question octet by octet when it was read, no record. */
function judgeRefusal(
  asked: Uint8Array,
  out: Uint8Array,
  code: number | null,
  echoes: boolean,
  findings: Finding[],
): void {
  const wrong = (observed: string, required: string) =>
    findings.push(finding('refusal', asked, observed, required));
  const read = readStrictly(out);
  if (read === null) {
    wrong(hexOfOctets(out), 'a message');
    return;
  }
  const asWord = ((asked[2] ?? 0) << 8) | (asked[3] ?? 0);
  const own = code ?? ednsOf(read).code;
  const flags = 0x8080 | (asWord & 0x7900) | (own & 15);
  if (read.id !== (((asked[0] ?? 0) << 8) | (asked[1] ?? 0))) wrong(`ID ${read.id}`, "the guest's ID");
  if (read.flags !== flags) wrong(`flags ${read.flags.toString(16)}`, flags.toString(16));
  judgeBareSections(asked, out, { echoes, code: own }, findings);
}

/** Question as asked or none, and an OPT of version 0 exactly when the guest sent one. */
export function judgeBareSections(
  asked: Uint8Array,
  out: Uint8Array,
  { echoes, code }: { readonly echoes: boolean; readonly code: number },
  findings: Finding[],
): void {
  const wrong = (observed: string, required: string) =>
    findings.push(finding('refusal', asked, observed, required));
  const read = readStrictly(out);
  const own = echoes ? readStrictly(asked) : null;
  if (read === null) return;
  const [answers = [], authority = [], additional = []] = read.sections;
  if (answers.length + authority.length > 0) wrong(`${answers.length + authority.length} records`, 'none');
  const wanted = own === null || offeredOctets(own) === null ? '' : `41 1232 ${(code >> 4) * 2 ** 24} 0`;
  const got = additional.map(({ type, class: size, ttl, data }) => `${type} ${size} ${ttl} ${data.length}`);
  if (got.join() !== wanted) wrong(`ADDITIONAL ${got.join()}`, `ADDITIONAL ${wanted}`);
  const question = out.subarray(12, out.length - (additional.length > 0 ? 11 : 0));
  const end = own === null ? 12 : 12 + question.length;
  if (echoes && question.length < 5) wrong('no question', 'the question of the guest');
  if (Buffer.compare(question, asked.subarray(12, end)) !== 0)
    wrong(`question ${hexOfOctets(question)}`, `question ${hexOfOctets(asked.subarray(12, end))}`);
}

/** Looks of one decision on the message. */
export function judgeGuestWork(context: GuestContext, octets: Uint8Array, findings: Finding[]): number {
  const { codec, policy, transport, random } = context;
  const counted = countLooks(octets);
  guarded(octets, findings, () => codec.decideQuery(policy, counted.octets, transport, random));
  const allowed = looksAllowed(octets.length);
  if (counted.looks() > allowed)
    findings.push(
      finding('work', octets, `${counted.looks()} looks at ${octets.length} octets`, `≤ ${allowed}`),
    );
  return counted.looks();
}
