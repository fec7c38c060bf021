/**
 * Every attack on the DNS proxy on every subject, and on the mutants that it must catch: a cell that differs from its
 * declaration, either way, fails. On the portable adapter the reference meets the one attack that stands for each
 * claim.
 */
import { allDnsAttacks, dnsShowpieces } from '../../attacks/dns-catalogue.ts';
import { isSelected } from '../../attacks/selection.ts';
import { builtInSubjects, test } from '../../fixtures/husk-network.ts';
import { choice } from '../../fixtures/lab-choice.ts';
import { type DnsSubjectName, onDgram, runDnsAttack } from '../../fixtures/run-dns-attack.ts';

for (const attack of allDnsAttacks) {
  if (choice.isDnsSelection && attack.showpiece !== true) continue;
  const builtIn = builtInSubjects.filter((name) => attack.expected[name] !== 'no-input');
  const portable: DnsSubjectName[] = dnsShowpieces.get(attack.claim) === attack ? [onDgram] : [];
  const subjects: DnsSubjectName[] = choice.isSelection
    ? builtIn.filter((name) => isSelected(attack.id, name))
    : [...builtIn, ...portable, ...(attack.falsifiedBy ?? []).map((id) => `mutant:${id}` as const)];
  for (const subject of subjects) {
    test(`${attack.id} ${attack.claim} ${attack.statement} · ${subject}`, async ({
      dnsLab,
      seed,
      settle,
    }) => {
      await settle((await runDnsAttack(attack.id, subject, { lab: dnsLab(subject), seed })).record);
    });
  }
}
