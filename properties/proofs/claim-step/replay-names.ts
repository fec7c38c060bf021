/** What the checker calls what the ClaimWorld's objects, processes and tokens are called. */
import type { ClaimWorld } from '../../models/claim-world.ts';
import { processName, tokenName } from './names.ts';

export class ReplayNames {
  readonly #real: ClaimWorld;
  /** UIDs, names and addresses. */
  readonly #names = new Map<string, string>();
  /** Which process made a token, by its UID and by its name. */
  readonly #makers = new Map<string, { readonly controller: number; readonly start: number }>();
  /** By UID and name of a token: the index of its claim. */
  readonly #tokens = new Map<string, number>();

  constructor(real: ClaimWorld) {
    this.#real = real;
  }

  call(real: string, checked: string): void {
    this.#names.set(real, checked);
  }

  of(real: string): string {
    return this.#names.get(real) ?? '';
  }

  /** The ClaimWorld's name of what the checker calls so. */
  realOf(checked: string): string {
    return [...this.#names].find(([, name]) => name === checked)?.[0] ?? '';
  }

  /** Tokens that are there and were not are that controller's. */
  noteTokens(controller: number): void {
    for (const { metadata } of this.#real.api.list('Secret').items) {
      if (this.#makers.has(metadata.uid)) continue;
      const maker = { controller, start: this.#startsOf(controller) };
      this.#makers.set(metadata.uid, maker);
      this.#makers.set(metadata.name, maker);
    }
  }

  #startsOf(controller: number): number {
    return this.#real.controllers[controller]?.starts ?? 0;
  }

  /** Every name of the ClaimWorld as the checker's; `named`: tokens that a status names have no maker. */
  renamed(value: unknown, named = true): unknown {
    if (typeof value === 'string') return this.#word(value, named);
    if (Array.isArray(value)) return value.map((item) => this.renamed(item, named));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, this.renamed(field, named)]));
  }

  #word(text: string, named: boolean): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const maker = this.#makers.get(text);
    if (maker !== undefined) return this.#token(text, maker, named);
    const process = /^controller-([AB])-(\d+)$/.exec(text);
    if (process !== null) {
      const index = process[1] === 'A' ? 0 : 1;
      const lives = this.#startsOf(index) === Number(process[2]);
      return lives ? processName(index) : 'process-gone';
    }
    return text.replace(/10\.0\.\d\.\d+/, (address) => this.#names.get(address) ?? address);
  }

  #token(text: string, { controller, start }: { controller: number; start: number }, named: boolean): string {
    const isUid = /^uid-\d+$/.test(text);
    const claim = this.#ownerOfToken(text);
    const gone = this.#startsOf(controller) !== start || (named && this.#isNamed(text, claim));
    const name = gone ? `token-gone-${claim}` : tokenName(controller, claim);
    return isUid ? `uid-${name}` : name;
  }

  #ownerOfToken(text: string): number {
    const index = this.#tokens.get(text);
    if (index !== undefined) return index;
    const secret = this.#real.api
      .list('Secret')
      .items.find(({ metadata }) => metadata.uid === text || metadata.name === text);
    const uid = secret?.metadata.ownerReferences?.[0]?.uid;
    const found = this.#real.owners.findIndex((owner) => owner.uid === uid);
    this.#tokens.set(text, found);
    return found;
  }
  /** Some status has named it. */
  #isNamed(text: string, claim: number): boolean {
    const uid = this.#real.owners[claim]?.uid;
    for (const { object } of this.#real.api.watch('0')) {
      const { token } = (object.status ?? {}) as { token?: { name?: string; uid?: string } };
      if (object.metadata.uid === uid && (token?.uid === text || token?.name === text)) return true;
    }
    return false;
  }
}
