/** Attacks that no built-in subject falls to, on mutants of the reference: each must show its mistake. */
import { allAttacks } from '../../attacks/catalogue.ts';
import { test } from '../../fixtures/husk-network.ts';
import { runAttack } from '../../fixtures/run-attack.ts';

for (const attack of allAttacks) {
  for (const mutant of attack.falsifiedBy ?? []) {
    const subject = `mutant:${mutant}` as const;
    test(`${attack.id} ${attack.claim} shows the mistake · ${subject}`, async ({ lab, seed, settle }) => {
      await settle(await runAttack(attack.id, subject, { lab: lab(subject, attack.engine), seed }));
    });
  }
}
