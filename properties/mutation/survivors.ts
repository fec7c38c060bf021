/**
 * The mutants of `reference/decisions` that no test kills, each with the reason why none should.
 * Invariant: the list is exact. `pnpm test:mutation` fails for a survivor that is not here, and for an entry whose
 * mutant is killed or gone.
 */

export interface Survivor {
  readonly file: string;
  /** The line as it stands, and as the mutant has it. */
  readonly was: string;
  readonly becomes: string;
  /** Why the mutant is no mistake: what it does is the same, or what it does otherwise is nobody's requirement. */
  readonly why: string;
  /** In how many places of the file; 1 when absent. */
  readonly times?: number;
}

/** Survivors of one file. */
function of(
  file: string,
  ...entries: readonly (readonly [was: string, becomes: string, why: string])[]
): Survivor[] {
  return entries.map(([was, becomes, why]) => ({ file: `reference/decisions/${file}`, was, becomes, why }));
}

export const survivors: readonly Survivor[] = [
  ...of(
    'agent-step.ts',
    [
      "if (state.phase !== 'reseeding' || event.generation !== state.generation) return ignore(state);",
      'if (false || event.generation !== state.generation) return ignore(state);',
      'the agent has a request only while it reseeds, and a result without a request is ignored all the same',
    ],
    [
      "if (state.phase !== 'repairing' || event.generation !== state.generation || state.reply === null) {",
      'if (false || event.generation !== state.generation || state.reply === null) {',
      'the agent has a reply only while it repairs, and without one the event is ignored all the same',
    ],
  ),
  ...of('kernel-digest.ts', [
    "return this.#go({ do: 'unlink', path: this.#policy.destination }, rule, 'unlink-destination');",
    'return this.#go({ do: \'unlink\', path: this.#policy.destination }, rule, "");',
    'the result that is awaited last ends the run, under whatever name it is awaited',
  ]),
  ...of(
    'pin-ledger/pin-ledger.ts',
    [
      'else if (family !== null) this.#deleteSet(tap, family, attempt + 1);',
      'else if (true) this.#deleteSet(tap, family, attempt + 1);',
      'sets are made only for a sandbox that is there: of one that is gone nothing but deletions is in flight',
    ],
    [
      'putPin(own, key, { element, leastExpiryMs: 0, mostExpiryMs, entries: [], leaving: false });',
      'putPin(own, key, { element, leastExpiryMs: 0, mostExpiryMs, entries: [], leaving: true });',
      'the delete that is issued for it in the same step marks it as leaving',
    ],
    [
      'if (pin === undefined) continue;',
      'if (false) continue;',
      'the keys are those of pins that are there: the check satisfies the type',
    ],
  ),
];
