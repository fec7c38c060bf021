/**
 * What was read of one message, by place, in memory that is fixed and never cleared: a pointer into labels that are
 * known costs the same wherever in them it leads. Known is only what reads as a name; whether it may be led to from
 * here is asked every time.
 */
import type { WireName } from './name.ts';

/** A pointer has fourteen bits: what stands beyond is never led to. */
const reachedOctets = 0x4000;
/** A place is read once, and has a name of its own once more when labels before it were read with it. */
const mostSegments = 2 * reachedOctets;

/**
 * By place, of a label or a root: the segment that it was read in, by a number that is used once. A segment is labels
 * that stand together, and the root or the pointer behind them.
 */
const segmentAt = new Float64Array(reachedOctets);
let nextSegment = 1;
/** Of a segment, by its number counted from the first of the message: where it begins, and where it is over. */
const starts = new Uint16Array(mostSegments);
const ends = new Uint16Array(mostSegments);
/** Where that is over which its pointer leads to; 0: a root ends it. */
const targetEnds = new Uint16Array(mostSegments);
/** The name that holds it, and from which octet on. */
const holders = new Uint16Array(mostSegments);
const skips = new Uint8Array(mostSegments);
/** Pointers that are followed from it on; until the name is read, those that led to it. */
const follows = new Uint8Array(mostSegments);

let atWork: NameIndex | null = null;

/** The rest of a name: octets of a known one. */
export interface KnownRest {
  readonly whole: WireName;
  /** Octets of it that stand before the rest. */
  readonly skip: number;
  /** Offset of the octet after the labels and their root or pointer. */
  readonly end: number;
  readonly pointers: number;
}

/** One at a time: when another message was read in between, it knows nothing any more. */
export class NameIndex {
  #first = 0;
  #names: WireName[] = [];
  #reading = false;
  /** Of the name that is read: its first segment, the one at work, the one whose pointer was followed to it. */
  #opened = 0;
  #segment = -1;
  #waiting = -1;
  #holder = 0;

  /** Before a name is read. What a malformed one left is no name: with it all is forgotten. */
  begin(): void {
    if (atWork !== this || this.#reading) {
      atWork = this;
      this.#first = nextSegment;
      this.#names = [];
    }
    this.#reading = true;
    this.#opened = nextSegment - this.#first;
    this.#segment = -1;
    this.#waiting = -1;
    this.#holder = this.#names.length;
  }

  knows(at: number): boolean {
    return at < reachedOctets && (segmentAt[at] as number) >= this.#first;
  }

  /** A label or a root, behind so many octets of the name and so many pointers. */
  enter(at: number, octets: number, pointers: number): void {
    if (at >= reachedOctets) return;
    if (this.#segment === -1) this.#open(at, octets, pointers);
    segmentAt[at] = this.#first + this.#segment;
  }

  #open(at: number, octets: number, pointers: number): void {
    this.#segment = nextSegment - this.#first;
    nextSegment += 1;
    starts[this.#segment] = at;
    targetEnds[this.#segment] = 0;
    skips[this.#segment] = octets;
    follows[this.#segment] = pointers;
  }

  /** What was read last is over: by a root, or by a pointer that is followed. */
  leave(end: number): void {
    if (this.#waiting !== -1) targetEnds[this.#waiting] = end;
    if (this.#segment !== -1) ends[this.#segment] = end;
    this.#waiting = this.#segment;
    this.#segment = -1;
  }

  /**
   * What is known at a place, for labels that begin at `start` and have to be over at `limit`; null: here it is
   * malformed.
   */
  rest(at: number, start: number, limit: number, octets: number, pointers: number): KnownRest | null {
    const known = (segmentAt[at] as number) - this.#first;
    const end = ends[known] as number;
    const targetEnd = targetEnds[known] as number;
    if (end > limit || targetEnd > start) return null;
    const holder = holders[known] as number;
    const whole = this.#names[holder] as WireName;
    const skip = (skips[known] as number) + at - (starts[known] as number);
    const follow = follows[known] as number;
    if (octets === 0 && skip === 0) this.#holder = holder;
    // From now on it has a name of its own.
    else if (octets === 0) {
      this.#open(at, 0, pointers);
      segmentAt[at] = this.#first + this.#segment;
    }
    if (this.#segment !== -1) targetEnds[this.#segment] = targetEnd;
    this.leave(end);
    return { whole, skip, end, pointers: pointers + follow };
  }

  /** The name is read. */
  add(name: WireName, pointers: number): void {
    const next = nextSegment - this.#first;
    for (let segment = this.#opened; segment < next; segment++) {
      holders[segment] = this.#holder;
      follows[segment] = pointers - (follows[segment] as number);
    }
    if (next > this.#opened && this.#holder === this.#names.length) this.#names.push(name);
    this.#reading = false;
  }
}
