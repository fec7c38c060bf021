/**
 * A set of states with their full keys: no fingerprint, so no two states are ever taken for one.
 * States are numbered in the order in which they were added.
 */

const chunkBits = 16;
const chunkSize = 1 << chunkBits;

export class StateSet {
  /** 32-bit words of a state. */
  readonly #width: number;
  readonly #chunks: Uint32Array[] = [];
  #table: Int32Array;
  #mask: number;
  size = 0;

  constructor(width: number, expected = 1 << 12) {
    this.#width = width;
    const slots = 1 << Math.ceil(Math.log2(expected * 2));
    this.#table = new Int32Array(slots).fill(-1);
    this.#mask = slots - 1;
  }

  /** Octets held. */
  get bytes(): number {
    return this.#table.byteLength + this.#chunks.length * chunkSize * this.#width * 4;
  }

  /** The number of the state; negative (`~number`) when it was there before. */
  add(state: Uint32Array): number {
    const width = this.#width;
    let slot = hashOf(state, 0, width) & this.#mask;
    for (;;) {
      const number = this.#table[slot] as number;
      if (number < 0) break;
      const chunk = this.#chunks[number >>> chunkBits] as Uint32Array;
      const at = (number & (chunkSize - 1)) * width;
      let word = 0;
      while (word < width && chunk[at + word] === state[word]) word++;
      if (word === width) return ~number;
      slot = (slot + 1) & this.#mask;
    }
    const number = this.size++;
    this.#table[slot] = number;
    if (number >>> chunkBits === this.#chunks.length) this.#chunks.push(new Uint32Array(chunkSize * width));
    (this.#chunks[number >>> chunkBits] as Uint32Array).set(state, (number & (chunkSize - 1)) * width);
    if (this.size * 2 > this.#mask) this.#grow();
    return number;
  }

  read(number: number, into: Uint32Array): void {
    const chunk = this.#chunks[number >>> chunkBits] as Uint32Array;
    const at = (number & (chunkSize - 1)) * this.#width;
    for (let word = 0; word < this.#width; word++) into[word] = chunk[at + word] as number;
  }

  #grow(): void {
    const slots = (this.#mask + 1) * 2;
    this.#table = new Int32Array(slots).fill(-1);
    this.#mask = slots - 1;
    for (let number = 0; number < this.size; number++) {
      const chunk = this.#chunks[number >>> chunkBits] as Uint32Array;
      let slot = hashOf(chunk, (number & (chunkSize - 1)) * this.#width, this.#width) & this.#mask;
      while ((this.#table[slot] as number) >= 0) slot = (slot + 1) & this.#mask;
      this.#table[slot] = number;
    }
  }
}

/** Multiply and mix, word by word. */
function hashOf(words: Uint32Array, from: number, width: number): number {
  let hash = 0x9e3779b9;
  for (let word = from; word < from + width; word++) {
    hash = Math.imul(hash ^ (words[word] as number), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
