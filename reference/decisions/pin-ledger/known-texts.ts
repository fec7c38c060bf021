/** Texts that are made once and found again, as long as there are few: past the bound they are all made anew. */

export class KnownTexts {
  /** By group, then by name. */
  #texts: Map<string, string>[] = [];
  #count = 0;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  find(group: number, name: string): string | undefined {
    return this.#texts[group]?.get(name);
  }

  /** For what was not found. */
  keep(group: number, name: string, text: string): string {
    if (this.#count >= this.#most) {
      this.#texts = [];
      this.#count = 0;
    }
    this.#texts[group] ??= new Map();
    this.#texts[group].set(name, text);
    this.#count += 1;
    return text;
  }
}
