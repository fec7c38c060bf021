/**
 * DNS messages as a hostile sender lays them out: names compressed or pointing anywhere, counts and lengths that lie,
 * octets changed after the message was written.
 */
import type { Labels } from './dns-message.ts';

/** Where a pointer leads: a place that the encoder knows, or an offset. */
export type PointerTarget = 'question' | 'itself' | 'next' | 'header' | 'owner' | number;

export interface SketchName {
  readonly labels: Labels;
  /** A pointer ends the name instead of the root; `compress`: to the longest known ending, where there is one. */
  readonly ending: 'root' | 'compress' | { readonly pointer: PointerTarget };
}

export interface SketchRecord {
  readonly owner: SketchName;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: { readonly octets: readonly number[] } | { readonly name: SketchName };
  /** Added to RDLENGTH: a length that lies. */
  readonly lengthOff?: number;
}

export interface Sketch {
  readonly id: number;
  readonly flags: number;
  readonly questions: readonly {
    readonly name: SketchName;
    readonly type: number;
    readonly class: number;
  }[];
  readonly answers: readonly SketchRecord[];
  readonly authority: readonly SketchRecord[];
  readonly additional: readonly SketchRecord[];
  /** QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT instead of the true ones; null: the true one. */
  readonly counts?: readonly (number | null)[];
  readonly trailing?: readonly number[];
}

/** How the octets are changed after they were written; places wrap around. */
export type Damage =
  | { readonly how: 'cut'; readonly octets: number }
  | { readonly how: 'set'; readonly at: number; readonly octet: number }
  | { readonly how: 'insert'; readonly at: number; readonly octets: readonly number[] }
  | { readonly how: 'remove'; readonly at: number; readonly count: number }
  | { readonly how: 'repeat'; readonly at: number; readonly count: number }
  | { readonly how: 'point'; readonly at: number; readonly target: number };

export const mostOctets = 65_535;
const headerOctets = 12;
const mostTarget = 0x3fff;

export const plainName = (labels: Labels): SketchName => ({ labels, ending: 'root' });
export const shortName = (labels: Labels): SketchName => ({ labels, ending: 'compress' });

/** The octets of a sketch, at most 65,535 of them: what does not fit is left out, and the counts lie. */
export function encodeSketch(sketch: Sketch): Uint8Array {
  const sections = [sketch.questions, sketch.answers, sketch.authority, sketch.additional];
  const writer = new SketchWriter();
  writer.word(sketch.id);
  writer.word(sketch.flags);
  for (const [index, { length }] of sections.entries()) writer.word(sketch.counts?.[index] ?? length);
  for (const { name, type, class: questionClass } of sketch.questions) {
    writer.name(name);
    writer.word(type);
    writer.word(questionClass);
  }
  for (const section of sections.slice(1) as (readonly SketchRecord[])[]) {
    for (const record of section) writer.record(record);
  }
  writer.octets(sketch.trailing ?? []);
  return writer.finish();
}

class SketchWriter {
  #bytes = new Uint8Array(512);
  #at = 0;
  /** Offsets of names and their endings, by their text in lower case. */
  readonly #known = new Map<string, number>();
  #owner = headerOctets;

  octet(value: number): void {
    if (this.#at === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  word(value: number): void {
    this.octet((value >> 8) & 255);
    this.octet(value & 255);
  }

  octets(values: readonly number[]): void {
    for (const value of values) this.octet(value);
  }

  name({ labels, ending }: SketchName): void {
    const start = this.#at;
    for (let index = 0; index < labels.length; index++) {
      const key = labels.slice(index).join('\u0000').toLowerCase();
      const known = this.#known.get(key);
      if (ending === 'compress' && known !== undefined) {
        this.word(0xc000 | known);
        return;
      }
      // What another pointer ends is no ending that the text says.
      if (known === undefined && this.#at <= mostTarget && typeof ending === 'string')
        this.#known.set(key, this.#at);
      const label = labels[index] as string;
      this.octet(label.length & 255);
      for (let at = 0; at < label.length; at++) this.octet(label.charCodeAt(at));
    }
    if (typeof ending === 'string') this.octet(0);
    else this.word(0xc000 | (this.#offsetOf(ending.pointer, start) & mostTarget));
  }

  #offsetOf(target: PointerTarget, start: number): number {
    if (typeof target === 'number') return target;
    const places = {
      question: headerOctets,
      itself: start,
      next: this.#at + 2,
      header: 4,
      owner: this.#owner,
    };
    return places[target];
  }

  record({ owner, type, class: recordClass, ttl, data, lengthOff = 0 }: SketchRecord): void {
    const start = this.#at;
    this.name(owner);
    this.#owner = start;
    this.word(type);
    this.word(recordClass);
    this.word(Math.floor(ttl / 65_536));
    this.word(ttl % 65_536);
    const lengthAt = this.#at;
    this.word(0);
    if ('name' in data) this.name(data.name);
    else this.octets(data.octets);
    const length = this.#at - lengthAt - 2 + lengthOff;
    this.#bytes[lengthAt] = (length >> 8) & 255;
    this.#bytes[lengthAt + 1] = length & 255;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, Math.min(this.#at, mostOctets));
  }
}

export function damaged(octets: Uint8Array, damage: readonly Damage[]): Uint8Array {
  let bent = octets;
  for (const one of damage) {
    if (bent.length <= headerOctets) break;
    const place = 'at' in one ? one.at % bent.length : 0;
    bent = damagedOnce(bent, one, place).subarray(0, mostOctets);
  }
  return bent;
}

function damagedOnce(octets: Uint8Array, one: Damage, place: number): Uint8Array {
  const before = octets.subarray(0, place);
  switch (one.how) {
    case 'cut':
      return octets.slice(0, octets.length - 1 - (one.octets % octets.length));
    case 'set':
      return octets.with(place, one.octet);
    case 'insert':
      return Uint8Array.from([...before, ...one.octets, ...octets.subarray(place)]);
    case 'remove':
      return Uint8Array.from([...before, ...octets.subarray(place + one.count)]);
    case 'repeat':
      return Uint8Array.from([
        ...before,
        ...octets.subarray(place, place + one.count),
        ...octets.subarray(place),
      ]);
    case 'point':
      return Uint8Array.from([
        ...before,
        0xc0 | (one.target >> 8),
        one.target & 255,
        ...octets.subarray(place + 2),
      ]);
  }
}
