/**
 * The lenient reading of messages that the published proxy was observed to have (findings.md F1,
 * "Messages"): counts are not believed nor checked, reading ends where the message ends, a label may hold
 * anything, names are compared as presented.
 */

export interface LenientRecord {
  readonly owner: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  /** Octets as they are put into an answer: names inside are written out. */
  readonly data: Uint8Array;
}

export interface LenientMessage {
  readonly id: number;
  readonly flags: number;
  readonly questions: readonly {
    readonly name: string;
    readonly labels: Uint8Array;
    readonly type: number;
    readonly class: number;
  }[];
  readonly answers: readonly LenientRecord[];
  readonly authority: readonly LenientRecord[];
  readonly additional: readonly LenientRecord[];
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

const longestChase = 128;
/** CNAME, NS and PTR hold a name and nothing else. */
const typesThatHoldAName = [2, 5, 12];

/** null: shorter than a header, or a name that cannot be read. */
export function readLeniently(bytes: Uint8Array): LenientMessage | null {
  if (bytes.length < 12) return null;
  const word = (at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  const cursor = { bytes, at: 12 };
  const questions = [];
  for (let count = word(4); count > 0 && cursor.at < bytes.length; count--) {
    const name = readName(cursor);
    if (name === null) return null;
    questions.push({ ...name, type: word(cursor.at), class: word(cursor.at + 2) });
    cursor.at += 4;
  }
  const section = (count: number): LenientRecord[] => {
    const records: LenientRecord[] = [];
    while (count-- > 0 && cursor.at < bytes.length) {
      const record = readRecord(cursor);
      if (record === null) break;
      records.push(record);
    }
    return records;
  };
  const answers = section(word(6));
  const authority = section(word(8));
  return { id: word(0), flags: word(2), questions, answers, authority, additional: section(word(10)) };
}

function readRecord(cursor: Cursor): LenientRecord | null {
  const { bytes } = cursor;
  const name = readName(cursor);
  const at = cursor.at;
  if (name === null || at + 10 > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint16(at + 8);
  if (at + 10 + length > bytes.length) return null;
  const type = view.getUint16(at);
  cursor.at = at + 10 + length;
  const held = typesThatHoldAName.includes(type) ? readName({ bytes, at: at + 10 }) : null;
  const data = held?.labels ?? bytes.slice(at + 10, at + 10 + length);
  return { owner: name.name, type, class: view.getUint16(at + 2), ttl: view.getUint32(at + 4), data };
}

/** Presentation form, dots inside labels unescaped, lower-cased; and the labels as they were. */
function readName(cursor: Cursor): { name: string; labels: Uint8Array } | null {
  const { bytes } = cursor;
  const parts: string[] = [];
  const labels: number[] = [];
  let at = cursor.at;
  let jumped = false;
  for (let step = 0; step < longestChase; step++) {
    const length = bytes[at];
    if (length === undefined) return null;
    if (length >= 0xc0) {
      if (!jumped) cursor.at = at + 2;
      jumped = true;
      at = ((length & 0x3f) << 8) | (bytes[at + 1] ?? 0);
      continue;
    }
    if (length === 0) {
      if (!jumped) cursor.at = at + 1;
      return { name: parts.join('.').toLowerCase(), labels: Uint8Array.from([...labels, 0]) };
    }
    const label = bytes.slice(at + 1, at + 1 + length);
    parts.push(Buffer.from(label).toString('latin1'));
    labels.push(length, ...label);
    at += 1 + length;
  }
  return null;
}

export function writeMessage(message: LenientMessage): Uint8Array {
  const octets: number[] = [];
  const word = (value: number) => octets.push((value >> 8) & 255, value & 255);
  word(message.id);
  word(message.flags);
  for (const section of [message.questions, message.answers, message.authority, message.additional])
    word(section.length);
  for (const question of message.questions) {
    octets.push(...question.labels);
    word(question.type);
    word(question.class);
  }
  for (const record of [...message.answers, ...message.authority, ...message.additional]) {
    octets.push(...labelsOf(record.owner));
    word(record.type);
    word(record.class);
    word(Math.floor(record.ttl / 65_536));
    word(record.ttl & 0xffff);
    word(record.data.length);
    octets.push(...record.data);
  }
  return Uint8Array.from(octets);
}

function labelsOf(name: string): number[] {
  if (name === '') return [0];
  return [...name.split('.').flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0];
}
