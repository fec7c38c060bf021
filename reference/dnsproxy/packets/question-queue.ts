/**
 * Questions of one round, one behind the other in memory that is laid out once, until they leave together.
 * Invariant: bounded; the octets are copied when they are put in.
 */

const mostQuestions = 256;

export class QuestionQueue {
  /** Of the memory that `put` writes to. */
  static readonly octets = 65_536;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #sockets = new Int32Array(mostQuestions);
  /** Where each begins, and where the next would. */
  readonly #offsets = new Int32Array(mostQuestions + 1);
  count = 0;

  /** @param start offset of its octets in the memory */
  constructor(memory: ArrayBuffer, start: number) {
    this.#bytes = new Uint8Array(memory);
    this.#start = start;
    this.#offsets[0] = start;
  }

  /** False when there is no room: those that are there are to leave first. A message alone always has room. */
  put(socket: number, message: Uint8Array): boolean {
    const { count } = this;
    const at = this.offset(count);
    if (count === mostQuestions || at + message.length > this.#start + QuestionQueue.octets) return false;
    this.#bytes.set(message, at);
    this.#sockets[count] = socket;
    this.#offsets[count + 1] = at + message.length;
    this.count = count + 1;
    return true;
  }

  socket(index: number): number {
    return this.#sockets[index] as number;
  }

  /** In the memory. */
  offset(index: number): number {
    return this.#offsets[index] as number;
  }

  length(index: number): number {
    return this.offset(index + 1) - this.offset(index);
  }

  /** Of its own: the queue may be used again. */
  copy(index: number): Uint8Array {
    return this.#bytes.slice(this.offset(index), this.offset(index + 1));
  }

  clear(): void {
    this.count = 0;
  }
}
