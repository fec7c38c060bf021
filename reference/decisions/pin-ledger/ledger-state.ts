/** What the pin ledger remembers. Plain JSON: it is handed on with every event and changed in place. */

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
  pins: Record<string, Pin>;
  /** How many of `pins` each family has. */
  count: Record<Family, number>;
  /** Elements of batches in flight that were not in the set when they were issued. */
  reserved: Record<Family, number>;
  /** Longest life that a batch in flight gives an element, and how many batches do. */
  promised: Record<string, { timeoutMs: number; batches: number }>;
  /** Entries of the policy in force; null before the first policy event. */
  policy: string[] | null;
}

export interface WantedElement extends Element {
  readonly entry: string;
  readonly timeoutMs: number;
}

export interface AddInFlight {
  readonly kind: 'add';
  readonly tap: string;
  readonly requestId: string;
  readonly issuedMs: number;
  /** Everything that the answer needs. */
  readonly wanted: WantedElement[];
  /** Keys that are in the batch, with the life that each was given. */
  readonly batch: Record<string, number>;
  readonly reserved: Record<Family, number>;
  /** A delete of one of its elements was issued after it: what it added may be gone again. */
  overtaken: boolean;
}

export interface DeleteInFlight {
  readonly kind: 'delete';
  readonly tap: string;
  readonly keys: string[];
}

export interface LedgerState {
  taps: Record<string, TapPins>;
  inFlight: Record<string, AddInFlight | DeleteInFlight>;
  /** Adds among them. */
  requests: number;
  nextAction: number;
}

export function keyOf({ address, protocol, port }: Element): string {
  return `${address} ${protocol} ${port}`;
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

export function emptyState(): LedgerState {
  return { taps: {}, inFlight: {}, requests: 0, nextAction: 1 };
}

export function emptyTap(): TapPins {
  return {
    pins: {},
    count: { ipv4: 0, ipv6: 0 },
    reserved: { ipv4: 0, ipv6: 0 },
    promised: {},
    policy: null,
  };
}

export function putPin(own: TapPins, key: string, pin: Pin): void {
  if (own.pins[key] === undefined) own.count[familyOf(pin.element.address)] += 1;
  own.pins[key] = pin;
}

export function dropPin(own: TapPins, key: string): void {
  const pin = own.pins[key];
  if (pin === undefined) return;
  own.count[familyOf(pin.element.address)] -= 1;
  delete own.pins[key];
}

export function promise(own: TapPins, key: string, timeoutMs: number): void {
  const known = own.promised[key];
  own.promised[key] = {
    timeoutMs: Math.max(known?.timeoutMs ?? 0, timeoutMs),
    batches: (known?.batches ?? 0) + 1,
  };
}

export function settle(own: TapPins, key: string): void {
  const known = own.promised[key];
  if (known === undefined) return;
  known.batches -= 1;
  if (known.batches === 0) delete own.promised[key];
}
