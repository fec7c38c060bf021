/**
 * Sets of pins without a kernel: they keep what they are given until its time is over, refuse what is too much, and
 * fail where a test wants them to.
 */
import type { AddressFamily } from '#reference/contract/datapath.ts';
import type { PinCommand, PinPlace, PinPort, StandingPin } from '#reference/contract/pin-port.ts';

type Elements = Map<string, { readonly place: PinPlace; readonly endMs: number }>;

export class FakePins implements PinPort {
  readonly #size: number;
  readonly #clock: () => number;
  readonly #taps = new Map<string, Partial<Record<AddressFamily, Elements>>>();
  /** What the next commands end with, one each; past its end they do what they should. */
  readonly failures: string[] = [];
  /** Every batch that was run, with its commands. */
  readonly batches: (readonly PinCommand[])[] = [];
  isClosed = false;

  constructor(size = 1_024, clock: () => number = () => performance.now()) {
    this.#size = size;
    this.#clock = clock;
  }

  /** As the datapath does when it opens a sandbox. */
  makeSets(tap: string, families: readonly AddressFamily[] = ['ipv4', 'ipv6']): void {
    this.#taps.set(tap, Object.fromEntries(families.map((family) => [family, new Map()])));
  }

  run(commands: readonly PinCommand[]): (string | null)[] {
    this.batches.push(commands);
    return commands.map((command) => this.failures.shift() ?? this.#one(command));
  }

  #one(command: PinCommand): string | null {
    const sets = this.#taps.get(command.tap);
    if (command.kind === 'create-sets') return sets === undefined ? 'ENODEV' : null;
    if (command.kind === 'delete-set') {
      const set = sets?.[command.family];
      set?.clear();
      return set === undefined ? 'ENOENT' : null;
    }
    this.#expire();
    const before = command.elements.map((place) => [place, this.#setOf(command.tap, place)] as const);
    if (before.some(([, set]) => set === undefined)) return 'ENOENT';
    if (command.kind === 'delete') {
      if (before.some(([place, set]) => set?.has(keyOf(place)) !== true)) return 'ENOENT';
      for (const [place, set] of before) set?.delete(keyOf(place));
      return null;
    }
    const fresh = new Map<Elements, Set<string>>();
    for (const [place, set] of before) {
      if (set === undefined || set.has(keyOf(place))) continue;
      const keys = fresh.get(set) ?? new Set();
      fresh.set(set, keys.add(keyOf(place)));
    }
    if ([...fresh].some(([set, keys]) => set.size + keys.size > this.#size)) return 'ENFILE';
    for (const place of command.elements) {
      const endMs = this.#clock() + place.timeoutMs;
      this.#setOf(command.tap, place)?.set(keyOf(place), { place, endMs });
    }
    return null;
  }

  #setOf(tap: string, { address }: PinPlace): Elements | undefined {
    return this.#taps.get(tap)?.[address.includes(':') ? 'ipv6' : 'ipv4'];
  }

  #expire(): void {
    const nowMs = this.#clock();
    for (const sets of this.#taps.values())
      for (const set of Object.values(sets))
        for (const [key, { endMs }] of set) if (endMs <= nowMs) set.delete(key);
  }

  setsOf(tap: string): AddressFamily[] {
    return (['ipv4', 'ipv6'] as const).filter((family) => this.#taps.get(tap)?.[family] !== undefined);
  }

  read(): StandingPin[] {
    this.#expire();
    const nowMs = this.#clock();
    return [...this.#taps].flatMap(([tap, sets]) =>
      Object.values(sets).flatMap((set) =>
        [...set.values()].map(({ place: { address, protocol, port }, endMs }) => ({
          ...{ tap, address, protocol, port },
          remainingMs: endMs - nowMs,
        })),
      ),
    );
  }

  close(): void {
    this.isClosed = true;
  }
}

const keyOf = ({ address, protocol, port }: PinPlace) => `${address} ${protocol} ${port}`;
