/** How long pins live: what the kernel is told, and what an answer may say of it. */
import type { LedgerLimits, PinOutcome } from './ledger-events.ts';
import type { TapPins, WantedElement } from './ledger-state.ts';

type Lives = PinOutcome['addresses'];

/** The kernel takes the last word: it must not be shorter than one before, live or on its way. */
export function notShorter(
  limits: LedgerLimits,
  own: TapPins,
  { key, timeoutMs }: WantedElement,
  sameBatch: WantedElement | undefined,
  nowMs: number,
): number {
  const liveMs = (own.pins[key]?.mostExpiryMs ?? nowMs) - nowMs;
  const promisedMs = own.promised[key]?.timeoutMs ?? 0;
  const longestMs = Math.max(timeoutMs, liveMs, promisedMs, sameBatch?.batchMs ?? 0);
  return Math.min(longestMs, limits.ttlCeilingSeconds * 1_000);
}

/**
 * Each address once, with the least life of its elements that the kernel surely gives: the answer may say no more.
 * Remembers the entries that justify the pins, too.
 */
export function livesOf(own: TapPins, wanted: readonly WantedElement[], nowMs: number): Lives {
  const first = wanted[0] as WantedElement;
  if (wanted.length === 1) return [lifeOf(first.address, leftMs(own, first, nowMs))];
  const addresses = new Map<string, number>();
  for (const element of wanted) {
    const left = leftMs(own, element, nowMs);
    addresses.set(element.address, Math.min(addresses.get(element.address) ?? left, left));
  }
  return Array.from(addresses, ([address, left]) => lifeOf(address, left));
}

function lifeOf(address: string, left: number): Lives[number] {
  return { address, pinned: left > 0, remainingSeconds: left / 1_000 };
}

function leftMs(own: TapPins, { key, entry }: WantedElement, nowMs: number): number {
  const pin = own.pins[key];
  if (pin !== undefined && !pin.entries.includes(entry)) pin.entries.push(entry);
  return pin === undefined || pin.leaving ? 0 : Math.max(0, pin.leastExpiryMs - nowMs);
}
