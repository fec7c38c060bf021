/**
 * Commands that drive a ledger and its kernel: sandboxes come and go, answers pin, acknowledgements are
 * late, the process dies.
 */
import * as fc from 'fast-check';
import { type LedgerConfig, LedgerHost } from '../models/ledger-host.ts';
import type { KernelOptions } from '../models/nft-sets.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';

export const taps = ['tap0', 'tap1'] as const;
const entries = ['a.test:443', 'b.test:443'] as const;
const addresses = [
  '93.184.216.34',
  '142.250.185.78',
  '1.1.1.1',
  '2606:2800:220:1::1',
  '2a00:1450:4001:802::200e',
];

/** Few elements a set, so that an overflow is a short story. */
export const smallLedger: LedgerConfig = {
  maxElementsPerSet: 4,
  ttlFloorSeconds: 30,
  ttlCeilingSeconds: 300,
  maxRequestsInFlight: 2,
};
/** nft's default without `size`: the ledger's bound must hold by itself. */
export const kernelModes: readonly KernelOptions[] = [
  { size: 65_535, reAdd: 'keeps expiry' },
  { size: 65_535, reAdd: 'refreshes' },
];

/** Looks at the host after every command; what it returns ends the run. */
export type Invariant = (host: LedgerHost, command: string) => Violation | null;

export interface Model {
  readonly attached: Set<string>;
}

export interface Real {
  readonly host: LedgerHost;
  readonly invariant: Invariant;
}

export type LedgerCommand = fc.Command<Model, Real>;

/** Carries a violation out of fc.modelRun. */
export class InvariantBroken extends Error {
  readonly violation: Violation;

  constructor(violation: Violation) {
    super(violation.observed);
    this.violation = violation;
  }
}

/** A command that is plain words and an effect. */
export function command(
  text: string,
  effect: (host: LedgerHost, model: Model) => void,
  check: (model: Readonly<Model>) => boolean = () => true,
): LedgerCommand {
  return {
    check,
    run(model, { host, invariant }) {
      effect(host, model);
      const violation = invariant(host, text);
      if (violation !== null) throw new InvariantBroken(violation);
    },
    toString: () => text,
  };
}

const tap = fc.constantFrom(...taps);
export const isAttached = (name: string) => (model: Readonly<Model>) => model.attached.has(name);

export const ledgerTtl = fc.constantFrom(
  0,
  1,
  29,
  30,
  31,
  120,
  299,
  300,
  301,
  86_400,
  2 ** 31 - 1,
  2 ** 32 - 1,
);

const attach = tap.map((name) =>
  command(
    `attach ${name}`,
    (host, model) => {
      model.attached.add(name);
      host.attach(name);
    },
    (model) => !model.attached.has(name),
  ),
);
const detach = tap.map((name) =>
  command(
    `detach ${name}`,
    (host, model) => {
      model.attached.delete(name);
      host.detach(name);
    },
    isAttached(name),
  ),
);
let requests = 0;
const pin = fc
  .record({
    name: tap,
    ttlSeconds: ledgerTtl,
    chosen: fc.uniqueArray(fc.constantFrom(...addresses), { minLength: 1, maxLength: 4 }),
    ports: fc.constantFrom([443], [443, 8443]),
    entry: fc.constantFrom(...entries),
  })
  .map(({ name, ttlSeconds, chosen, ports, entry }) => {
    const elements = chosen.flatMap((address) =>
      ports.map((port) => ({ address, protocol: 'tcp' as const, port, ttlSeconds, entry })),
    );
    const text = `pin ${name} ${chosen.join(' ')} ports ${ports.join(' ')} ttl ${ttlSeconds} (${entry})`;
    const send = (host: LedgerHost) => {
      requests += 1;
      host.send({ kind: 'pin', tap: name, requestId: `r${requests}`, elements, nowMs: host.nowMs });
    };
    return command(text, send, isAttached(name));
  });
/**
 * Two answers pin the same element; the kernel's word on the first never comes, the second one's comes
 * last.
 */
const race = fc.record({ name: tap, ttlSeconds: ledgerTtl }).map(({ name, ttlSeconds }) =>
  command(
    `two answers pin 1.1.1.1 on ${name}, ttl ${ttlSeconds} then 0; the first acknowledgement is lost`,
    (host) => {
      const wasPrompt = host.prompt;
      host.prompt = false;
      for (let count = 0; count < 2; count++) {
        requests += 1;
        const element = {
          address: '1.1.1.1',
          protocol: 'tcp' as const,
          port: 443,
          ttlSeconds,
          entry: entries[0],
        };
        host.send({
          kind: 'pin',
          tap: name,
          requestId: `r${requests}`,
          elements: [element],
          nowMs: host.nowMs,
        });
      }
      host.timeOut();
      while (host.pending.length > 0) host.deliver(0);
      host.prompt = wasPrompt;
    },
    isAttached(name),
  ),
);
const tick = fc.constantFrom(1, 999, 1_000, 29_000, 30_000, 31_000, 200_000, 301_000).map((ms) =>
  command(`${ms} ms pass`, (host) => {
    host.nowMs += ms;
  }),
);
const hold = fc.constant(
  command('acknowledgements wait', (host) => {
    host.prompt = false;
  }),
);
const deliver = fc
  .nat({ max: 5 })
  .map((index) => command(`acknowledgement ${index} arrives`, (host) => host.deliver(index)));
const lose = fc.constant(command('an acknowledgement is lost, its time runs out', (host) => host.timeOut()));
const twice = fc.constant(
  command('an acknowledgement arrives twice', (host) => {
    const [first] = host.pending;
    if (first !== undefined) host.pending.push(first);
    host.deliver(0);
  }),
);
const fail = fc.constantFrom('ENFILE', 'ENOBUFS', 'EBUSY').map((error) =>
  command(`the next batch meets ${error}`, (host) => {
    if (host.kernel.failures.length < 2) host.kernel.failures.push(error);
  }),
);
const policy = fc
  .tuple(tap, fc.subarray([...entries]))
  .map(([name, kept]) =>
    command(
      `policy ${name} ${kept.length === 0 ? 'allows nothing' : kept.join(' ')}`,
      (host) => host.send({ kind: 'policy', tap: name, entries: kept, nowMs: host.nowMs }),
      isAttached(name),
    ),
  );
const restart = fc.constant(command('kill -9, start again', (host) => host.restart()));

const diesMeanwhile = tap.map((name) =>
  command(
    `kill -9, the sandbox on ${name} dies, start again`,
    (host, model) => {
      model.attached.delete(name);
      host.attached.delete(name);
      host.restart();
    },
    isAttached(name),
  ),
);

export interface LedgerCase {
  readonly commands: Iterable<LedgerCommand>;
  readonly kernel: KernelOptions;
  toString(): string;
}

/** Three answers at once while the kernel is silent. */
const burst = tap.map((name) =>
  command(
    `three answers pin on ${name}, the kernel is silent`,
    (host) => {
      host.prompt = false;
      for (const address of addresses.slice(0, 3)) {
        requests += 1;
        const element = { address, protocol: 'tcp' as const, port: 443, ttlSeconds: 60, entry: entries[0] };
        host.send({
          kind: 'pin',
          tap: name,
          requestId: `r${requests}`,
          elements: [element],
          nowMs: host.nowMs,
        });
      }
    },
    isAttached(name),
  ),
);

/** Two names with one address: each allow entry justifies the pin, the later one for longer. */
const twoNames = tap.map((name) =>
  command(
    `pin ${name} 1.1.1.1 ports 443 ttl 30 (${entries[0]}), then ttl 300 (${entries[1]})`,
    (host) => {
      for (const [index, ttlSeconds] of [30, 300].entries()) {
        requests += 1;
        const pinned = { address: '1.1.1.1', protocol: 'tcp' as const, port: 443, ttlSeconds };
        const elements = [{ ...pinned, entry: entries[index] ?? entries[0] }];
        host.send({ kind: 'pin', tap: name, requestId: `r${requests}`, elements, nowMs: host.nowMs });
      }
    },
    isAttached(name),
  ),
);

/** Sandboxes that come, pin, change their policy and go. */
export const policyCommandArbitraries: fc.Arbitrary<LedgerCommand>[] = [
  attach,
  detach,
  pin,
  pin,
  twoNames,
  policy,
  policy,
  tick,
];

/** These, and everything that goes wrong. */
export const ledgerCommandArbitraries: fc.Arbitrary<LedgerCommand>[] = [
  attach,
  pin,
  pin,
  pin,
  tick,
  detach,
  hold,
  deliver,
  deliver,
  lose,
  twice,
  fail,
  policy,
  race,
  burst,
  restart,
  diesMeanwhile,
];

/** A case of commands on one kind of kernel. */
export function ledgerCase(
  own: readonly fc.Arbitrary<LedgerCommand>[],
  replayPath: string | undefined,
): fc.Arbitrary<LedgerCase> {
  const options = { maxCommands: 16, ...(replayPath === undefined ? {} : { replayPath }) };
  return fc
    .tuple(fc.constantFrom(...kernelModes), fc.commands([...own], options))
    .map(([kernel, commands]) => ({
      kernel,
      commands,
      toString: () => `kernel ${kernel.reAdd} on re-add: ${String(commands)}`,
    }));
}

/**
 * Runs the commands; the first broken invariant, or null. tap0 is attached beforehand, so that most
 * commands matter.
 */
export function runLedger(
  subject: Subject,
  config: LedgerConfig,
  input: LedgerCase,
  invariant: Invariant,
): Violation | null {
  try {
    fc.modelRun(() => {
      const host = new LedgerHost(subject, config, input.kernel);
      host.attach('tap0');
      return { model: { attached: new Set(['tap0']) }, real: { host, invariant } };
    }, input.commands);
    return null;
  } catch (error) {
    if (error instanceof InvariantBroken) return error.violation;
    throw error;
  }
}

/** The commands that ran, a line each, without fast-check's replay comment. */
export function notationOfLedger(input: LedgerCase): string {
  const [kernel = '', ...rest] = input
    .toString()
    .replace(/\/\*.*\*\//, '')
    .split(': ');
  const ran = rest
    .join(': ')
    .replace(/,(?! )/g, '\n')
    .trim();
  return [kernel, 'attach tap0', ...(ran === '' ? [] : [ran])].join('\n');
}
