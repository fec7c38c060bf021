/** What the pin ledger remembers. Plain JSON: it is handed on with every event and changed in place. */
import { dropSoonest, type Expiry, heapOf, pushExpiry, replaceSoonest } from './expiry-heap.ts';
import { KnownTexts } from './known-texts.ts';

export type Protocol = 'tcp' | 'udp';
export type Family = 'ipv4' | 'ipv6';

export interface Element {
  readonly address: string;
  readonly protocol: Protocol;
  readonly port: number;
}

export interface Pin {
  readonly element: Element;
  /** The kernel drops it no sooner: counted from when the batch was issued. Milliseconds. */
  leastExpiryMs: number;
  /** … and no later: counted from the acknowledgement. Until then it takes up room. */
  mostExpiryMs: number;
  /** Allow entries that justify it; empty after a restart, until a policy says otherwise. */
  entries: string[];
  /** A delete is on its way: it takes up room, and serves nobody. */
  leaving: boolean;
}

export interface TapPins {
  /** Actions that make the sets and await the kernel; nothing is pinned before they are done. */
  settling: number;
  pins: Record<string, Pin>;
  /** How many of `pins` each family has. */
  count: Record<Family, number>;
  /** Each pin once, when `mostExpiryMs` has it at the soonest. Null until a full set asks, and after a delete. */
  expiries: Expiry[] | null;
  /** Elements of batches in flight that were not in the set when they were issued. */
  reserved: Record<Family, number>;
  /** Longest life that a batch in flight gives an element, and how many batches do. */
  promised: Record<string, { timeoutMs: number; batches: number }>;
  /** Entries of the policy in force; null before the first policy event. */
  policy: string[] | null;
}

export interface WantedElement extends Element {
  readonly key: string;
  readonly entry: string;
  readonly timeoutMs: number;
  /** The life that it has in the batch; null when it stands for long enough, or is in the batch already. */
  batchMs: number | null;
}

export interface AddInFlight {
  readonly kind: 'add';
  readonly tap: string;
  readonly requestId: string;
  readonly issuedMs: number;
  /** Everything that the answer needs. */
  readonly wanted: WantedElement[];
  readonly reserved: Record<Family, number>;
  /** A delete of one of its elements was issued after it: what it added may be gone again. */
  overtaken: boolean;
}

export interface DeleteInFlight {
  readonly kind: 'delete';
  readonly tap: string;
  readonly keys: string[];
  readonly attempt: number;
}

/** An add whose sandbox is gone: the kernel still works on it, so it counts until it is heard of. */
export interface CancelledInFlight {
  readonly kind: 'cancelled';
  readonly tap: null;
}

/** A set that is made or deleted as a whole. */
export interface SetsInFlight {
  readonly kind: 'sets';
  readonly tap: string;
  /** The set that is deleted; null: both are made. */
  readonly family: Family | null;
  readonly attempt: number;
}

export interface LedgerState {
  /** By `tap <name>`: a name from outside is never a key by itself. */
  taps: Record<string, TapPins>;
  /** By `actionKey`. */
  inFlight: Record<string, AddInFlight | CancelledInFlight | DeleteInFlight | SetsInFlight>;
  /** Adds among them. */
  requests: number;
  nextAction: number;
}

/**
 * A text that is made anew is looked up letter by letter; one that comes again is found by what the engine knows of it.
 * Kept by protocol, in groups by port.
 */
const elementKeys = { tcp: new KnownTexts(4_096), udp: new KnownTexts(4_096) };

export function keyOf({ address, protocol, port }: Element): string {
  const known = elementKeys[protocol];
  return known.find(port, address) ?? known.keep(port, address, `${address} ${protocol} ${port}`);
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

export function emptyState(): LedgerState {
  return { taps: {}, inFlight: {}, requests: 0, nextAction: 1 };
}

export function emptyTap(): TapPins {
  return {
    settling: 0,
    pins: {},
    count: { ipv4: 0, ipv6: 0 },
    expiries: null,
    reserved: { ipv4: 0, ipv6: 0 },
    promised: {},
    policy: null,
  };
}

export function putPin(own: TapPins, key: string, pin: Pin): void {
  if (own.pins[key] === undefined) {
    own.count[familyOf(pin.element.address)] += 1;
    if (own.expiries !== null) pushExpiry(own.expiries, { key, atMs: pin.mostExpiryMs });
  }
  own.pins[key] = pin;
}

export function dropPin(own: TapPins, key: string): void {
  const pin = own.pins[key];
  if (pin === undefined) return;
  own.count[familyOf(pin.element.address)] -= 1;
  delete own.pins[key];
  own.expiries = null;
}

export function promise(own: TapPins, key: string, timeoutMs: number): void {
  const known = own.promised[key];
  if (known === undefined) {
    own.promised[key] = { timeoutMs, batches: 1 };
    return;
  }
  known.timeoutMs = Math.max(known.timeoutMs, timeoutMs);
  known.batches += 1;
}

export function settle(own: TapPins, key: string): void {
  const known = own.promised[key];
  if (known === undefined) return;
  known.batches -= 1;
  if (known.batches === 0) delete own.promised[key];
}

const tapKeys = new KnownTexts(1_024);

/** Keys that no name from outside can make mean anything else: not even `__proto__`. */
export function tapKey(tap: string): string {
  return tapKeys.find(0, tap) ?? tapKeys.keep(0, tap, `tap ${tap}`);
}

/** An own id is a number, which is kept as one: a text for each action would go into the engine's table of names. */
export const actionKey = (actionId: string) =>
  actionId >= '0' && actionId < ':' ? actionId : `action ${actionId}`;

/**
 * Is there room for so many more elements? What has surely expired in the kernel makes some. A full set is looked at as
 * a whole once, and again after a delete; else only what has expired is, or would have if it had not been extended.
 */
export function hasRoom(
  own: TapPins,
  fresh: Record<Family, number>,
  maxElements: number,
  nowMs: number,
): boolean {
  const fits = (family: Family) => own.count[family] + own.reserved[family] + fresh[family] <= maxElements;
  if (fits('ipv4') && fits('ipv6')) return true;
  dropExpired(own, nowMs);
  return fits('ipv4') && fits('ipv6');
}

function dropExpired(own: TapPins, nowMs: number): void {
  const heap = own.expiries ?? expiriesOf(own.pins);
  const promised: Expiry[] = [];
  for (let [first] = heap; first !== undefined && first.atMs <= nowMs; [first] = heap) {
    const { key } = first;
    const { mostExpiryMs } = own.pins[key] as Pin;
    if (mostExpiryMs > nowMs) replaceSoonest(heap, { key, atMs: mostExpiryMs });
    else {
      dropSoonest(heap);
      // A batch on its way may have given it a longer life.
      if (own.promised[key] === undefined) dropPin(own, key);
      else promised.push(first);
    }
  }
  for (const expiry of promised) pushExpiry(heap, expiry);
  own.expiries = heap;
}

function expiriesOf(pins: TapPins['pins']): Expiry[] {
  return heapOf(Object.entries(pins).map(([key, { mostExpiryMs }]) => ({ key, atMs: mostExpiryMs })));
}

/** Life within floor and ceiling. */
export function clampLife(
  requested: readonly (Element & { readonly entry: string; readonly ttlSeconds: number })[],
  {
    ttlFloorSeconds,
    ttlCeilingSeconds,
  }: { readonly ttlFloorSeconds: number; readonly ttlCeilingSeconds: number },
): WantedElement[] {
  return requested.map((element) => {
    const { address, protocol, port, entry, ttlSeconds } = element;
    const timeoutMs = Math.min(Math.max(ttlSeconds, ttlFloorSeconds), ttlCeilingSeconds) * 1_000;
    return { address, protocol, port, key: keyOf(element), entry, batchMs: null, timeoutMs };
  });
}
