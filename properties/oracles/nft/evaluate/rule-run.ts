/** One rule being evaluated: its registers, and for which packets it still goes on. */
import { type Bdd, type Bdds, never } from '../../bdd/bdd.ts';
import type { Bits } from '../../bdd/bit-vector.ts';
import { type Family, NotUnderstood, type Table, type Verdict } from '../ruleset.ts';
import type { Device, Topology } from '../topology.ts';
import type { Packet } from './packet.ts';

export type HookPoint = 'ingress' | 'egress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

/** Where in the kernel a chain runs. */
export interface HookContext {
  readonly point: HookPoint;
  readonly input: Device | null;
  readonly output: Device | null;
  readonly topology: Topology;
  /** A NAT hook is there, so that conntrack notes when a flow has passed it. */
  readonly natHooks: boolean;
}

/** A verdict and the packets that get it. */
export interface Branch {
  readonly verdict: Verdict;
  readonly when: Bdd;
}

/** Answers of what is not decided by the packet: limits, random numbers; one unknown each. */
export interface Choices {
  readonly bdds: Bdds;
  /** true or false, whatever is asked; for a known packet, what the caller fixed. */
  either(name: string): Bdd;
  /** The packet lies in one piece in memory. */
  linear(): Bdd;
  /** Unknown bits. */
  unknown(name: string, bits: number): Bdd[];
}

const registerBits = 32;
export const registers = 16;

export class RuleRun {
  readonly bdds: Bdds;
  readonly hook: HookContext;
  readonly table: Table;
  readonly packet: Packet;
  readonly choices: Choices;
  readonly where: string;
  /** Packets for which no expression broke off so far. */
  reach: Bdd;
  readonly branches: Branch[] = [];
  readonly #registers: (Bdd | undefined)[] = new Array(registers * registerBits);

  constructor(
    run: Pick<RuleRun, 'hook' | 'table' | 'packet' | 'choices' | 'where'> & { readonly reach: Bdd },
  ) {
    this.bdds = run.choices.bdds;
    this.hook = run.hook;
    this.table = run.table;
    this.packet = run.packet;
    this.choices = run.choices;
    this.where = run.where;
    this.reach = run.reach;
  }

  get family(): Family {
    return this.table.family;
  }

  /** Goes on only where `when` holds. */
  require(when: Bdd): void {
    this.reach = this.bdds.and(this.reach, when);
  }

  /** Ends the rule with a verdict where `when` holds. */
  conclude(verdict: Verdict, when: Bdd): void {
    const reached = this.bdds.and(this.reach, when);
    this.reach = this.bdds.and(this.reach, when ^ 1);
    if (reached !== never) this.branches.push({ verdict, when: reached });
  }

  load(register: number, length: number): Bdd[] {
    const start = register * registerBits;
    const bits: Bdd[] = [];
    for (let i = start; i < start + length * 8; i += 1) {
      const bit = this.#registers[i];
      if (bit === undefined) return this.refuse(`a register that nothing set (word ${i >> 5})`);
      bits.push(bit);
    }
    return bits;
  }

  /** Pads the last word with zeros, as the kernel does. */
  store(register: number, bits: Bits): void {
    const start = register * registerBits;
    const padded = Math.ceil(bits.length / registerBits) * registerBits;
    if (start + padded > this.#registers.length) this.refuse(`a value beyond the last register`);
    for (let i = 0; i < padded; i += 1) this.#registers[start + i] = bits[i] ?? never;
  }

  /** No verdict: the expression is not understood. */
  refuse(expression: string): never {
    throw new NotUnderstood(expression, this.where);
  }
}

/** A number as the kernel keeps it in a register, least significant byte first on this machine. */
export function hostOrder(bits: Bits): Bdd[] {
  const swapped: Bdd[] = [];
  for (let i = bits.length - 8; i >= 0; i -= 8) swapped.push(...bits.slice(i, i + 8));
  return swapped;
}
