/** docs/proofs.md: what is proved, within which bounds, on which assumptions, from the proofs themselves. */
import type { Proof } from '../proofs/proof.ts';
import { generatedNotice, markdownTable } from './markdown.ts';

export function proofsPage(proofs: readonly Proof[]): string {
  const rows = proofs.map(({ name, statement, mutants, onDemand }) => [
    `[${name}](../properties/proofs/${name}.ts)`,
    statement,
    String(mutants.length),
    onDemand === undefined ? 'always' : `\`${onDemand}\``,
  ]);
  return `${[
    '# Proofs',
    generatedNotice,
    'Claims are sampled; a proof looks at every case of a stated scope. `pnpm prove` runs them, two threads at a time, and prints ' +
      'what was proved, within which bounds, on which assumptions, and what was counted. `pnpm prove --mutants` plants the mistakes ' +
      'that a proof names: it must be refuted, with a trace that a person can read.',
    markdownTable(['proof', 'statement', 'mutants', 'runs'], rows),
    howAddresses,
    howScopes,
    howToAdd,
    ...proofs.map(section),
  ].join('\n\n')}\n`;
}

function section({ name, statement, bounds, assumptions, mutants }: Proof): string {
  const list = (items: readonly string[]) => items.map((item) => `- ${item}`).join('\n');
  return [
    `## ${name}`,
    statement,
    `Within:\n\n${list(bounds)}`,
    `Assuming:\n\n${list(assumptions)}`,
    `Refuted by:\n\n${list(mutants.map(({ id, mistake }) => `\`${id}\`: ${mistake}`))}`,
  ].join('\n\n');
}

const howAddresses = `## How all addresses are looked at

No region that the code distinguishes is assumed, and no source is read.

1. *The code that runs is what is compiled.* The compiled decision is called with octets that are not
   known: a proxy that hears every access. A lookup in a trie is a question, whose answers are the
   leaves that this lookup can give; an octet that is read directly is a question with 256 answers;
   anything else that is asked of the octets stops the proof. The decision runs once for each sequence
   of answers. Which addresses lead to a run is kept as a BDD over the address bits; what the run
   returns holds for all of them.
2. *A lookup is described by itself.* The trie's own lookup, on the entries that the policy compiled to,
   runs for every value of every octet that it reads, and its answers are the sets of addresses that
   step 1 goes by.
3. *The oracle is compiled from its one text.* Its rules
   (\`properties/oracles/addresses/address-rules.ts\`) are guards over any logic: with BigInt they judge
   one address, as the claims use them; with BDDs they judge all. The first guard that holds decides.
4. *The sets are compared*: those that are pinned, and those that are pinned as an IPv4. Equal sets are
   the same node. If they differ, the lowest address of the difference is decided for real by both sides
   before it is printed.
5. *Controls*: the verdicts must be of every address exactly once, and the edges of every block are
   decided by the code, by the oracle and by the sets.

\`pnpm prove --brute-force-ipv4\` needs none of that: it decides 2^32 addresses one by one and compares
each verdict with a table of intervals made of the oracle's rules.`;

const howScopes = `## How small scopes are looked at

A scope is a short list of values for each field, the first of them right and the others each wrong in
a way of their own, and every combination is decided. The oracle judges what a case was *made of*, not
what the decision reads: it shares no parser, no proof and no reader of addresses with the reference. In
the small scope of the tests at most two fields are wrong at once.`;

const howToAdd = `## A new proof

1. Write \`properties/proofs/<name>.ts\`, which exports \`proof\` (\`properties/proofs/proof.ts\`):
   statement, bounds, assumptions, mutants, \`run\`. It may import the reference and an oracle or a
   model; those never import it. \`properties/proofs/scope/combinations.ts\` walks a scope.
2. Name at least one mutant of \`properties/mutants/\` (or one of the proof's own); the proof must
   refute each in its small scope.
3. \`pnpm prove <name> --mutants\`, then \`pnpm generate\`. The tests of \`properties/proofs/run\` find
   it by its file.`;
