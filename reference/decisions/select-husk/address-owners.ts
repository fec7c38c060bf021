/**
 * Which pods name which addresses.
 * Invariant: an address that two pods name, in whatever notation, is nobody's own; a pod that came to its
 * end names none.
 */
import { fieldOf, listOf } from '../json-values.ts';
import { addressKey } from './pod-address.ts';
import { hasEnded } from './pod-view.ts';

const shared = -1;

export class AddressOwners {
  readonly #pods: readonly unknown[];
  /** By key of the address: the index of the only pod that names it, or `shared`. */
  #owners: Map<string, number> | null = null;

  /** Reads nothing until the first question: most selections among planted pods never ask. */
  constructor(pods: readonly unknown[]) {
    this.#pods = pods;
  }

  isShared(address: unknown): boolean {
    this.#owners ??= this.#count();
    return this.#owners.get(addressKey(address) ?? '') === shared;
  }

  #count(): Map<string, number> {
    const owners = new Map<string, number>();
    for (let index = 0; index < this.#pods.length; index++) {
      const pod = this.#pods[index];
      if (hasEnded(pod)) continue;
      const status = fieldOf(pod, 'status');
      const first = fieldOf(status, 'podIP');
      note(owners, first, index);
      for (const one of listOf(fieldOf(status, 'podIPs'))) {
        const address = fieldOf(one, 'ip');
        // The first of podIPs is podIP again.
        if (address !== first) note(owners, address, index);
      }
    }
    return owners;
  }
}

function note(owners: Map<string, number>, address: unknown, index: number): void {
  const key = addressKey(address);
  if (key === null) return;
  const owner = owners.get(key);
  if (owner === undefined) owners.set(key, index);
  else if (owner !== index) owners.set(key, shared);
}
