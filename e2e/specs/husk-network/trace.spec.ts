/** The kernel's trace tells which rule decided, and changes nothing: verdict and ruleset are as without it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '../../fixtures/husk-network.ts';
import { runAttack } from '../../fixtures/run-attack.ts';
import type { AttackStory } from '../../fixtures/story.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const attack = 'own-address.control-at-uplink';

for (const [subject, last] of [
  ['published', /tap-a-input: ip saddr 10\.200\.0\.2 drop/],
  ['reference', /tap-a\/policy: .*any other local address/],
] as const) {
  test(`a trace always names the rule that dropped a packet, and is in no ruleset · ${subject}`, async ({
    lab,
    seed,
  }) => {
    const record = await runAttack(attack, subject, { lab: lab(subject), seed, trace: true });
    expect(record.outcome).toBe('holds');
    const folder = `${root}${record.evidence?.folder}`;
    const { packets } = JSON.parse(readFileSync(`${folder}/story.json`, 'utf8')) as AttackStory;
    expect(packets[0]?.verdicts?.at(-1)).toMatch(last);
    expect(readFileSync(`${folder}/ruleset.nft`, 'utf8')).not.toContain('huskproof-trace');
  });
}
