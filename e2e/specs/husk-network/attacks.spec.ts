/** Every attack on every subject, each in a fresh pod: a cell that differs from its declaration, either way, fails. */
import { allAttacks } from '../../attacks/catalogue.ts';
import { isSelected } from '../../attacks/selection.ts';
import { builtInSubjects, test } from '../../fixtures/husk-network.ts';
import { choice } from '../../fixtures/lab-choice.ts';
import { runAttack } from '../../fixtures/run-attack.ts';
import { unsupportedPrefix } from '../../report/attachment.ts';

for (const attack of allAttacks) {
  for (const subject of builtInSubjects.filter((name) => attack.expected[name] !== 'no-input')) {
    if (choice.isSelection && !isSelected(attack.id, subject)) continue;
    test(`${attack.id} ${attack.claim} ${attack.statement} · ${subject}`, async ({
      lab,
      seed,
      settle,
    }, info) => {
      const own = lab(subject, attack.engine);
      const missing = attack.needs === undefined ? null : own.lacks(attack.needs);
      info.skip(missing !== null, `${unsupportedPrefix}${missing?.reason}; ${missing?.remedy}`);
      await settle(await runAttack(attack.id, subject, { lab: own, seed }));
    });
  }
}
