/**
 * One-line mistakes of the datapath that only a kernel shows: in what compiles the rules, in what bounds a guest's
 * flows. Attacks name them (`falsifiedBy` in e2e/attacks); at tier decision nothing would notice.
 */
import type { Mutant } from './mutant.ts';

const datapath = 'reference/datapath/';
const commands = `${datapath}nf-tables/commands.ts`;
const expressions = `${datapath}nf-tables/expressions.ts`;
const ruleset = 'reference/decisions/ruleset/';
const leaving = `${ruleset}leaving-rules.ts`;
const pod = `${ruleset}pod-ruleset.ts`;

export const mutants: readonly Mutant[] = [
  {
    id: 'tables-dormant',
    mistake:
      'the tables are made dormant (NFT_TABLE_F_DORMANT): they stand in every listing and are asked nothing',
    file: commands,
    find: 'this.#begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, words).text(1, name);',
    replace: 'this.#begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, words).text(1, name).uint32(2, 1);',
    killedBy: 'F4.source',
    tier: 'kernel',
  },
  {
    id: 'drops-compiled-to-accept',
    mistake: 'the verdict drop is compiled to accept',
    file: expressions,
    find: 'const verdicts = { drop: 0, accept: 1,',
    replace: 'const verdicts = { drop: 1, accept: 1,',
    killedBy: 'F4.leave',
    tier: 'kernel',
  },
  {
    id: 'flows-unbounded',
    mistake: 'a guest may have as many flows as there are ports, so that its siblings get none',
    file: leaving,
    find: 'flowsOver(maxFlows(pod)),',
    replace: 'flowsOver(maxFlows(pod) * 1_000),',
    killedBy: 'F4.load',
    tier: 'kernel',
  },
  {
    id: 'flows-bounded-together',
    mistake: 'the bound of flows is one for the whole pod: whoever uses it up closes probes and siblings',
    file: pod,
    find: "commands.push(add.chain(name, { type: 'filter', hook, prio, policy }));",
    replace:
      "commands.push(add.chain(name, { type: 'filter', hook, prio, policy }), ...(name === 'prerouting-policy' ? [add.rule(name, 'too many', match(ct('state'), 'new', 'in'), { 'ct count': { val: 1_000, inv: true } }, drop)] : []));",
    killedBy: 'F4.load',
    tier: 'kernel',
  },
];
