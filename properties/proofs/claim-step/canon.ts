/**
 * One state of each symmetric bunch: the smallest image, word by word, under every renaming of claims, pods
 * and controllers that leaves the world as it was.
 */
import type { Layout } from './layout.ts';
import { notAsked } from './lexicon.ts';
import { isSymmetry, type Renaming } from './names.ts';
import type { CheckedWorld } from './world.ts';

export class Canon {
  readonly result: Uint16Array;
  readonly #image: Uint16Array;
  readonly #world: CheckedWorld;
  /** Renamings that are symmetries, the identity left out. */
  readonly #renamings: readonly number[];
  /** For each renaming and word of the image: the word that moves there. */
  readonly #from: readonly Uint16Array[];

  constructor(world: CheckedWorld) {
    this.#world = world;
    const { layout, renamings, scope } = world;
    this.result = new Uint16Array(layout.width);
    this.#image = new Uint16Array(layout.width);
    this.#renamings = renamings.flatMap((one, index) => (index > 0 && isSymmetry(one, scope) ? [index] : []));
    this.#from = this.#renamings.map((index) => originOf(layout, renamings[index] as Renaming));
  }

  /** Leaves the bunch's representative in `result`. */
  of(state: Uint16Array): void {
    const { result } = this;
    const { afloat, afloatSlots } = this.#world.layout;
    result.set(state);
    if (afloatSlots > 1) sort(result, afloat, afloatSlots);
    for (let index = 0; index < this.#renamings.length; index++) this.#compare(state, index);
  }

  #compare(state: Uint16Array, index: number): void {
    const { result } = this;
    const { lexicon, layout } = this.#world;
    const renaming = this.#renamings[index] as number;
    const images = lexicon.images[renaming] as Uint16Array;
    const from = this.#from[index] as Uint16Array;
    const image = this.#image;
    const { width, afloat, afloatSlots } = layout;
    let smaller = false;
    for (let word = 1; word < afloat; word++) {
      const before = state[from[word] as number] as number;
      let value = images[before] as number;
      if (value === notAsked) value = lexicon.image(renaming, before);
      if (!smaller) {
        const best = result[word] as number;
        if (value > best) return;
        smaller = value < best;
      }
      image[word] = value;
    }
    for (let word = afloat; word < width; word++)
      image[word] = lexicon.image(renaming, state[word] as number);
    if (afloatSlots > 1) sort(image, afloat, afloatSlots);
    image[0] = state[0] as number;
    for (let word = afloat; word < width && !smaller; word++) {
      const [value, best] = [image[word] as number, result[word] as number];
      if (value > best) return;
      smaller = value < best;
    }
    if (smaller) result.set(image);
  }
}

/** Few words: insertion. */
function sort(words: Uint16Array, first: number, count: number): void {
  for (let at = first + 1; at < first + count; at++) {
    const word = words[at] as number;
    let to = at;
    while (to > first && (words[to - 1] as number) < word) {
      words[to] = words[to - 1] as number;
      to--;
    }
    words[to] = word;
  }
}

/** Which word of a state becomes which word of its image. */
function originOf(layout: Layout, { claims, pods, controllers }: Renaming): Uint16Array {
  const from = Uint16Array.from({ length: layout.width }, (_, word) => word);
  for (let claim = 0; claim < layout.claims; claim++) {
    const to = claims[claim] as number;
    from[layout.claim(to)] = layout.claim(claim);
    from[layout.past(to)] = layout.past(claim);
  }
  for (let pod = 0; pod < layout.pods; pod++) {
    const to = pods[pod] as number;
    from[layout.pod(to)] = layout.pod(pod);
    from[layout.record(to)] = layout.record(pod);
    from[layout.husk(to)] = layout.husk(pod);
  }
  for (let controller = 0; controller < layout.controllers; controller++) {
    const other = controllers[controller] as number;
    for (let stored = 1; stored < layout.husk(0); stored++) {
      from[layout.copy(other, stored)] = layout.copy(controller, from[stored] as number);
    }
    for (let claim = 0; claim < layout.claims; claim++) {
      const to = claims[claim] as number;
      from[layout.memory(other, to)] = layout.memory(controller, claim);
      from[layout.pending(other, to)] = layout.pending(controller, claim);
    }
  }
  return from;
}
