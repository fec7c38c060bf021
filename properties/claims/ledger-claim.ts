/**
 * What the F1 claims on pins have in common: questions that a guest asks in the middle of a ledger's life.
 */
import * as fc from 'fast-check';
import { addressRecord, dnsConfig } from '../arbitraries/dns.ts';
import {
  command,
  isAttached,
  type LedgerCommand,
  ledgerTtl,
  smallLedger,
  taps,
} from '../arbitraries/ledger-commands.ts';
import {
  encodeMessage,
  hexOf,
  type Labels,
  query,
  replyTo,
  textOfLabels,
  types,
} from '../models/dns-message.ts';
import { runSession, type Session } from '../models/dns-session.ts';
import { LedgerHost } from '../models/ledger-host.ts';
import type { Subject } from '../subjects/subject.ts';
import { fixedRandomness, honestExchangeWorks } from './dns-claim.ts';

/** The n-th of many public addresses. */
export function publicAddress(index: number): readonly number[] {
  return [93, 184, 216 + (index >> 8), index & 255];
}

export interface Asked {
  readonly tap: string;
  readonly name: Labels;
  /** How many addresses the reply holds. */
  readonly count: number;
  readonly first: number;
  readonly ttl: number;
  /** How long the kernel takes to acknowledge. */
  readonly latencyMs: number;
}

/** Ports that the default policy allows for the name that was asked. */
export function portsOf({ name }: Asked): readonly number[] {
  return name.length === 2 ? [443, 8443] : [443];
}

/** A guest's whole exchange over the ledger: question, reply, pins in the kernel model, answer. */
export function ask(
  subject: Subject,
  host: LedgerHost,
  { tap, name, count, first, ttl, latencyMs }: Asked,
): Session {
  const records = Array.from({ length: count }, (_, index) =>
    addressRecord(name, types.a, publicAddress(first + index), ttl),
  );
  return runSession(subject, {
    config: dnsConfig,
    message: hexOf(encodeMessage(query(name, types.a))),
    transport: 'tcp',
    random: fixedRandomness,
    upstream: (sent) => [{ hex: hexOf(encodeMessage(replyTo(sent, records))) }],
    pin: (pins) => host.pinNow(tap, pins, latencyMs),
  });
}

/** A question as a command; `look` sees the session when it is over. */
export function askCommand(
  subjectOf: () => Subject,
  look: (host: LedgerHost, asked: Asked, session: Session) => void,
  counts: readonly number[],
): fc.Arbitrary<LedgerCommand> {
  return fc
    .record({
      tap: fc.constantFrom(...taps),
      name: fc.constantFrom<Labels>(['example', 'com'], ['a', 'wild', 'test']),
      count: fc.constantFrom(...counts),
      first: fc.nat({ max: 3 }),
      ttl: ledgerTtl,
      latencyMs: fc.constantFrom(0, 1, 250, 1_500),
    })
    .map((asked) =>
      command(
        `${asked.tap} asks ${textOfLabels(asked.name)} A; ${asked.count} addresses from ${publicAddress(asked.first).join('.')}, ttl ${asked.ttl}; the kernel answers after ${asked.latencyMs} ms`,
        (host) => look(host, asked, ask(subjectOf(), host, asked)),
        isAttached(asked.tap),
      ),
    );
}

/** The path is open: a pin that fits is made, and answered. */
export function pinningWorks(subject: Subject): string | null {
  const host = new LedgerHost(subject, smallLedger, { size: 65_535, reAdd: 'refreshes' });
  host.attach('tap0');
  const element = {
    address: '93.184.216.34',
    protocol: 'tcp' as const,
    port: 443,
    ttlSeconds: 60,
    entry: 'example.com:443',
  };
  const [outcome] = host.pinNow('tap0', [element]);
  if (outcome?.pinned !== true || host.kernel.elements(host.nowMs, 'tap0').length !== 1)
    return 'a plain pin is not made';
  return honestExchangeWorks(subject);
}
