/** Chains: rules in order, jump, goto and return, the policy at the end of a base chain (nft_do_chain). */
import { type Bdd, never } from '../../bdd/bdd.ts';
import {
  type BaseChain,
  type Chain,
  NotUnderstood,
  type Rule,
  type Table,
  type Verdict,
} from '../ruleset.ts';
import { evaluate } from './expressions.ts';
import type { Packet } from './packet.ts';
import { type Choices, type HookContext, RuleRun } from './rule-run.ts';

/** A rule that matched, or a policy that applied, and for which packets. */
export interface Step {
  readonly table: Table;
  readonly chain: string;
  readonly hook: HookContext;
  /** null: the chain's policy. */
  readonly rule: Rule | null;
  readonly verdict: Verdict;
  readonly when: Bdd;
}

export interface ChainVisit {
  readonly table: Table;
  readonly hook: HookContext;
  readonly packet: Packet;
  readonly choices: Choices;
  /** Called in the order in which the kernel would come there. */
  readonly log: (step: Step) => void;
}

/** The packets that each ending of a base chain gets. */
export interface Ending {
  readonly accepted: Bdd;
  readonly dropped: Bdd;
  readonly queued: Bdd;
}

/** Deeper than the kernel allows. */
const maxDepth = 16;

export function visitBaseChain(visit: ChainVisit, chain: Chain, base: BaseChain, entering: Bdd): Ending {
  const walk = new Walk(visit);
  const ended = walk.run(chain, entering, 0);
  if (ended !== never) {
    const verdict: Verdict = { code: base.policy };
    visit.log({ table: visit.table, chain: chain.name, hook: visit.hook, rule: null, verdict, when: ended });
    walk.end(base.policy, ended);
  }
  return walk.ending();
}

class Walk {
  readonly #visit: ChainVisit;
  #accepted: Bdd = never;
  #dropped: Bdd = never;
  #queued: Bdd = never;

  constructor(visit: ChainVisit) {
    this.#visit = visit;
  }

  ending(): Ending {
    return { accepted: this.#accepted, dropped: this.#dropped, queued: this.#queued };
  }

  end(code: 'accept' | 'drop' | 'queue', when: Bdd): void {
    const { bdds } = this.#visit.choices;
    if (code === 'accept') this.#accepted = bdds.or(this.#accepted, when);
    else if (code === 'drop') this.#dropped = bdds.or(this.#dropped, when);
    else this.#queued = bdds.or(this.#queued, when);
  }

  /** The packets that come to the end of the chain, or return from it. */
  run(chain: Chain, entering: Bdd, depth: number): Bdd {
    const { bdds } = this.#visit.choices;
    if (depth > maxDepth) throw new NotUnderstood('jumps nested deeper than 16', this.#where(chain, null));
    let here = entering;
    let returned: Bdd = never;
    for (const rule of chain.rules) {
      if (here === never) break;
      const { stays, leaves } = this.#runRule(chain, rule, here, depth);
      here = stays;
      returned = bdds.or(returned, leaves);
    }
    return bdds.or(here, returned);
  }

  #where(chain: Chain, rule: Rule | null): string {
    const { table } = this.#visit;
    const handle = rule === null ? '' : ` rule ${rule.handle}`;
    return `${table.family} ${table.name} ${chain.name}${handle}`;
  }

  /** `stays`: goes on with the next rule. `leaves`: comes to the end of this chain at once. */
  #runRule(chain: Chain, rule: Rule, entering: Bdd, depth: number): { stays: Bdd; leaves: Bdd } {
    const { hook, table, packet, choices } = this.#visit;
    const { bdds } = choices;
    const run = new RuleRun({
      hook,
      table,
      packet,
      choices,
      where: this.#where(chain, rule),
      reach: entering,
    });
    for (const expression of rule.expressions) {
      if (run.reach === never) break;
      evaluate(run, expression);
    }
    let taken: Bdd = never;
    let stays: Bdd = never;
    let leaves: Bdd = never;
    if (run.reach !== never) this.#log(chain, rule, { code: 'continue' }, run.reach);
    for (const { verdict, when } of run.branches) {
      taken = bdds.or(taken, when);
      if (verdict.code !== 'break') this.#log(chain, rule, verdict, when);
      const after = this.#follow(chain, rule, verdict, when, depth);
      stays = bdds.or(stays, after.stays);
      leaves = bdds.or(leaves, after.leaves);
    }
    return { stays: bdds.or(stays, bdds.and(entering, taken ^ 1)), leaves };
  }

  #follow(chain: Chain, rule: Rule, verdict: Verdict, when: Bdd, depth: number): { stays: Bdd; leaves: Bdd } {
    switch (verdict.code) {
      case 'accept':
      case 'drop':
      case 'queue':
        this.end(verdict.code, when);
        return { stays: never, leaves: never };
      case 'continue':
      case 'break':
        return { stays: when, leaves: never };
      case 'return':
        return { stays: never, leaves: when };
      case 'jump':
        return {
          stays: this.run(this.#chainNamed(verdict.chain, chain, rule), when, depth + 1),
          leaves: never,
        };
      case 'goto':
        return {
          stays: never,
          leaves: this.run(this.#chainNamed(verdict.chain, chain, rule), when, depth + 1),
        };
      case 'stolen':
        throw new NotUnderstood('verdict stolen', this.#where(chain, rule));
    }
  }

  #chainNamed(name: string, chain: Chain, rule: Rule): Chain {
    const found = this.#visit.table.chains.get(name);
    if (found === undefined) throw new NotUnderstood(`chain ${name}, not there`, this.#where(chain, rule));
    return found;
  }

  #log(chain: Chain, rule: Rule, verdict: Verdict, when: Bdd): void {
    const { table, hook, log } = this.#visit;
    log({ table, chain: chain.name, hook, rule, verdict, when });
  }
}
