/**
 * The way back to the guest: from a reply to pins, and from the kernel's word on them to the answer.
 * Invariant: every question that was begun ends here exactly once.
 */
import type { AddressFamily } from '#reference/contract/datapath.ts';
import type { PinPort } from '#reference/contract/pin-port.ts';
import { type AnswerPlan, buildAnswer, planAnswer } from '../../decisions/dns-answer/dns-build.ts';
import { emptyAnswer, type QueryVerdict } from '../../decisions/dns-answer/dns-query.ts';
import { readName } from '../../decisions/dns-answer/name.ts';
import { headerOctets, type Message, rcode } from '../../decisions/dns-answer/wire.ts';
import { formatAddress } from '../../decisions/pin-address/ip-address.ts';
import type { RequestedElement } from '../../decisions/pin-ledger/ledger-events.ts';
import type { PacketIo } from '../packets/packet-io.ts';
import type { StreamIo } from '../streams/stream-io.ts';
import { AddressTexts } from './address-texts.ts';
import type { Client } from './clients.ts';
import type { Counts } from './counts.ts';
import type { ProxyLimits } from './limits.ts';
import { PinRound } from './pin-round.ts';
import { printedName, type RefusalLog } from './refusal-log.ts';
import type { Origin, Waiter } from './sandbox.ts';

export interface AnswerParts {
  readonly io: PacketIo;
  readonly streams: StreamIo;
  readonly pins: PinPort;
  readonly limits: ProxyLimits;
  readonly clock: () => number;
  readonly counts: Counts;
  readonly log: RefusalLog;
}

type AnswerVerdict = Extract<QueryVerdict, { verdict: 'answer' }>;

interface Planned {
  readonly waiter: Waiter;
  readonly reply: Message;
  readonly plan: AnswerPlan;
}

export class GuestAnswers {
  readonly #parts: AnswerParts;
  readonly pins: PinRound<Planned>;
  readonly #texts = new AddressTexts();

  constructor(parts: AnswerParts) {
    const { limits, clock } = parts;
    this.#parts = parts;
    this.pins = new PinRound<Planned>(
      parts.pins,
      { ...limits, maxRequestsInFlight: limits.maxInFlight },
      clock,
      (planned, remainingSeconds, rule) => this.#pinned(planned, remainingSeconds, rule),
    );
  }

  hasSets(tap: string, family: AddressFamily): boolean {
    return this.#parts.pins.setsOf(tap).includes(family);
  }

  /** Octets to where the message came from; null: there is no answer to it. */
  send({ listener, connection, endpoint }: Origin, message: Uint8Array | null): void {
    if (connection !== -1) this.#parts.streams.answer(connection, message);
    else if (message !== null) this.#parts.io.answer(listener, endpoint, message);
  }

  /** The decision's own answer to a question that goes nowhere; what is malformed gets only so many of them. */
  refuse(origin: Origin, bytes: Uint8Array, verdict: AnswerVerdict, nowMs: number): void {
    const { sandbox, endpoint } = origin;
    const { message, rcode: code, rule } = verdict;
    const isComplaint = code === rcode.formErr || code === rcode.notImp;
    const client = isComplaint ? sandbox.clients.of(endpoint.address, nowMs) : null;
    const isHeard = !isComplaint || (client !== null && sandbox.clients.mayComplain(client, nowMs));
    this.send(origin, isHeard ? message : null);
    this.#parts.counts.add('answers', isHeard ? rcodeText(code) : 'silence');
    if (code !== rcode.noError) this.#refused(origin, rule, nowMs, () => nameIn(bytes));
  }

  /** Too much of it at once: SERVFAIL while complaints are heard, silence then. */
  overflow(
    origin: Origin,
    bytes: Uint8Array,
    guest: Message | null,
    client: Client | null,
    rule: string,
    nowMs: number,
  ): void {
    const isHeard = client !== null && origin.sandbox.clients.mayComplain(client, nowMs);
    this.send(origin, isHeard ? emptyAnswer(bytes, guest, rcode.servFail) : null);
    this.#parts.counts.add('queries', rule);
    this.#parts.counts.add('answers', isHeard ? rcodeText(rcode.servFail) : 'silence');
    this.#refused(origin, rule, nowMs, () => (guest === null ? '' : printedName(guest.question.name)));
  }

  #refused({ sandbox, endpoint }: Origin, rule: string, nowMs: number, name: () => string): void {
    const isLogged = this.#parts.log.add(nowMs, () => ({
      ...{ level: 'info', what: 'question refused', rule, tap: sandbox.tap },
      ...{ client: endpoint.address, name: name() },
    }));
    if (!isLogged) this.#parts.counts.add('refusals-not-logged', 'rate');
  }

  /** From an accepted reply to the pins that it calls for. */
  plan(waiter: Waiter, reply: Message, nowMs: number): void {
    const { sandbox, guest, transport } = waiter;
    const plan = planAnswer(sandbox.policy, guest, reply, transport);
    if (plan.refused.length > 0) this.#addressesRefused(waiter, reply, plan, nowMs);
    if (plan.final !== null) {
      this.finish(waiter, plan.final, plan.rule, nowMs);
      return;
    }
    let elements: RequestedElement[] | null = null;
    for (const { offset, length } of plan.addresses) {
      const address = this.#texts.of(reply.bytes, offset, length);
      for (const { protocol, port, entry } of plan.ports) {
        const element = { address, protocol, port, entry, ttlSeconds: plan.pinTtlSeconds };
        if (elements === null) elements = [element];
        else elements.push(element);
      }
    }
    elements ??= [];
    this.#parts.counts.add('pins', 'asked', elements.length);
    this.pins.request(sandbox.tap, elements, { waiter, reply, plan }, nowMs);
  }

  #addressesRefused(waiter: Waiter, reply: Message, { refused }: AnswerPlan, nowMs: number): void {
    const { sandbox, endpoint, guest } = waiter;
    for (const { offset, length, rule } of refused) {
      this.#parts.counts.add('refused-addresses', rule);
      const isLogged = this.#parts.log.add(nowMs, () => ({
        ...{ level: 'warn', what: 'address refused', rule, tap: sandbox.tap, client: endpoint.address },
        ...{ name: printedName(guest.question.name), address: formatAddress(reply.bytes, offset, length) },
      }));
      if (!isLogged) this.#parts.counts.add('refusals-not-logged', 'rate');
    }
  }

  #pinned({ waiter, reply, plan }: Planned, remainingSeconds: number | null, rule: string): void {
    const nowMs = this.#parts.clock();
    this.#parts.counts.add('pins', rule);
    if (remainingSeconds === null)
      this.#refused(waiter, `pins: ${rule}`, nowMs, () => printedName(waiter.guest.question.name));
    const answer = buildAnswer(waiter.guest, reply, plan, remainingSeconds);
    this.finish(waiter, answer, remainingSeconds === null ? 'SERVFAIL: not pinned' : plan.rule, nowMs);
  }

  fail(waiter: Waiter, rule: string, nowMs: number): void {
    const { guest } = waiter;
    this.finish(waiter, emptyAnswer(guest.bytes, guest, rcode.servFail), `SERVFAIL: ${rule}`, nowMs);
  }

  finish(waiter: Waiter, answer: Uint8Array | null, rule: string, nowMs: number): void {
    waiter.sandbox.clients.end(waiter.client);
    this.send(waiter, answer);
    this.#parts.counts.add('answers', rule);
    this.#parts.counts.took(nowMs - waiter.startMs);
  }
}

const rcodeNames: Readonly<Record<number, string>> = {
  [rcode.noError]: 'NODATA',
  [rcode.formErr]: 'FORMERR',
  [rcode.servFail]: 'SERVFAIL',
  [rcode.notImp]: 'NOTIMP',
  [rcode.refused]: 'REFUSED',
  [rcode.badVers]: 'BADVERS',
};
const rcodeText = (code: number) => rcodeNames[code] ?? `RCODE ${code}`;

/** For the log: the name of a question, where one can be read. */
function nameIn(bytes: Uint8Array): string {
  const found = readName(bytes, headerOctets);
  return found === null ? '' : printedName(found.name);
}
