/** What holds for every message by itself: read as an independent reader reads it, and never a part of it. */
import { faultOf } from '../../oracles/dns/guest-oracle.ts';
import { diagnose, ednsOf, type ReadMessage, type ReadRecord } from '../../oracles/dns/strict-reader.ts';
import type { Codec, CodecMessage } from './codec.ts';
import type { Finding, Invariant } from './finding.ts';

type CodecRecord = CodecMessage['answers'][number];

export function hexOfOctets(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('hex');
}

export function finding(
  invariant: Invariant,
  message: Uint8Array,
  observed: string,
  required: string,
): Finding {
  return { invariant, message: hexOfOctets(message), observed, required, requiredRule: invariant };
}

/** Runs a part of the codec; a throw becomes a finding and null. */
export function guarded<T>(message: Uint8Array, findings: Finding[], run: () => T): T | null {
  try {
    return run();
  } catch (error) {
    const invariant = error instanceof RangeError && /looks at/.test(error.message) ? 'work' : 'total';
    findings.push(finding(invariant, message, String(error), 'a verdict'));
    return null;
  }
}

/** Our reader beside the strict one. */
export function judgeReading(codec: Codec, octets: Uint8Array, findings: Finding[]): void {
  const read = diagnose(octets);
  const fault = octets.length > 65_535 ? 'over 65,535 octets' : faultOf(read, octets.length);
  const before = findings.length;
  const own = guarded(octets, findings, () => codec.readMessage(octets));
  if (findings.length > before) return;
  if ((own === null) !== (fault !== null)) {
    findings.push(finding('reader', octets, own === null ? 'refused' : 'read', fault ?? 'read it'));
    return;
  }
  if (own === null || typeof read === 'string') return;
  const difference = differenceOf(own, read);
  if (difference !== null) findings.push(finding('reader', octets, difference.got, difference.wanted));
}

interface Difference {
  readonly got: string;
  readonly wanted: string;
}

function differenceOf(own: CodecMessage, read: ReadMessage): Difference | null {
  const [question] = read.questions;
  const [answers = [], , additional = []] = read.sections;
  const offered = additional.find(({ type }) => type === 41)?.class ?? null;
  const { code, version } = ednsOf(read);
  const edns = [own.ednsPayloadOctets, own.ednsVersion, own.rcode];
  const got = [labelsText(own.question.name), own.question.type, own.question.class, ...edns];
  const wanted = [JSON.stringify(question?.name), question?.type, question?.class, offered, version, code];
  if (got.join(' ') !== wanted.join(' ')) return { got: got.join(' '), wanted: wanted.join(' ') };
  if (own.answers.length !== answers.length) {
    return { got: `${own.answers.length} answers`, wanted: `${answers.length} answers` };
  }
  for (const [index, record] of answers.entries()) {
    const mine = own.answers[index];
    const [a, b] = [mine === undefined ? '' : textOfOwn(own.bytes, mine), textOfRead(record)];
    if (a !== b) return { got: a, wanted: b };
  }
  return null;
}

/** Labels of an uncompressed name. */
function labelsText(name: Uint8Array): string {
  const octets = Buffer.from(name.buffer, name.byteOffset, name.length);
  const labels: string[] = [];
  for (let at = 0; at < octets.length && octets[at] !== 0; at += (octets[at] ?? 0) + 1) {
    labels.push(octets.toString('latin1', at + 1, at + 1 + (octets[at] ?? 0)));
  }
  return JSON.stringify(labels);
}

function textOfOwn(bytes: Uint8Array, record: CodecRecord): string {
  const { name, type, class: own, ttlSeconds, dataOffset, dataLength, target } = record;
  const data =
    target === null ? hexOfOctets(bytes.subarray(dataOffset, dataOffset + dataLength)) : labelsText(target);
  return `${labelsText(name)} ${type} ${own} ${ttlSeconds} ${data}`;
}

function textOfRead({ owner, type, class: own, ttl, data, target }: ReadRecord): string {
  const text = target === null ? hexOfOctets(Uint8Array.from(data)) : JSON.stringify(target);
  return `${JSON.stringify(owner)} ${type} ${own} ${ttl >= 2 ** 31 ? 0 : ttl} ${text}`;
}

/** No beginning of a message that is read may be read: this needs no other reader. */
export function judgeTruncation(codec: Codec, octets: Uint8Array, findings: Finding[]): number {
  if (guarded(octets, findings, () => codec.readMessage(octets)) === null) return 0;
  for (let length = 0; length < octets.length; length++) {
    const cut = octets.subarray(0, length);
    if (guarded(cut, findings, () => codec.readMessage(cut)) === null) continue;
    findings.push(finding('truncation', cut, `read, cut to ${length} of ${octets.length}`, 'refuse it'));
    break;
  }
  return octets.length;
}
