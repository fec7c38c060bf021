/** F6.credited: what the kernel did not credit, and what the agent says of it. */

import { fixedCells } from '#properties/claims/claim.ts';
import type { LabRequest } from '#properties/subjects/guest-lab.ts';
import type { ForkAttack, ForkStage, Seen } from '../fork-attack.ts';
import { plainWish } from '../fork-lab.ts';
import type { ForkHost } from '../historic-host.ts';
import { messageOf } from '../message-of.ts';
import { type Draws, exhibitsOf, percent } from '../shares.ts';
import { windowClosed } from '../siblings.ts';
import { wishOf } from './siblings.ts';

interface Told {
  readonly answer: string;
  readonly refusal: string | null;
  readonly draws: Draws | null;
}

async function forkUnder(stage: ForkStage, host: ForkHost, condition: LabRequest | null): Promise<Told> {
  const { lab } = stage;
  const template = await lab.template(wishOf(stage, plainWish));
  const { vm, guest, crossings } = await lab.fork(template);
  try {
    if (condition !== null) await guest.must(condition);
    const refusal = await host
      .activate({ vm, source: template.source, reap: () => vm.stop() })
      .then(() => null, messageOf);
    const said = crossings.filter(({ channel, to }) => channel === 'control' && to === 'host');
    const answer = said[0]?.text.split('\n')[0] ?? 'nothing';
    return { answer, refusal, draws: refusal === null ? await guest.draw(2) : null };
  } finally {
    await vm.stop();
  }
}

const reportsSuccess = ({ answer }: Told) => /"ok":true/.test(answer) && /"reseeded_rng":true/.test(answer);

async function run(stage: ForkStage, condition: LabRequest): Promise<Seen> {
  const host = await stage.lab.host(stage.subject);
  const honest = await forkUnder(stage, host, null);
  const template = await stage.lab.template(wishOf(stage, plainWish));
  const closed =
    honest.refusal === null
      ? await windowClosed(stage, template)
      : `a fork with a working device is refused: ${honest.refusal}`;
  const told = [await forkUnder(stage, host, condition), await forkUnder(stage, host, condition)];
  const draws = told.flatMap((one) => (one.draws === null ? [] : [one.draws]));
  const exhibits = draws.length < 2 ? [] : exhibitsOf(draws);
  const shared = exhibits.filter(({ share }) => share > 0);
  return {
    closed,
    effects: told.filter(reportsSuccess).map(({ answer, refusal }) => {
      const passed = refusal === null ? ', and its host believes it' : '';
      return `nothing was credited, and the agent reports ${answer.slice(0, 120)}${passed}`;
    }),
    steps: [
      `before the fork is told: ${condition.lab}`,
      ...told.map(({ answer, refusal }) => `it answers ${answer.slice(0, 200)}; ${refusal ?? 'admitted'}`),
      ...shared.map(({ reader, share }) => `${reader}: ${percent(share)} is the same in both`),
    ],
    judgedCases: told.length,
    exhibits,
  };
}

const attack = (id: string, condition: LabRequest, statement: string): ForkAttack => ({
  id: `credited.${id}`,
  claim: 'F6.credited',
  statement,
  source: 'findings.md F6 Vulnerable; random(4), RNDADDENTROPY',
  control:
    'a fork of the same template with a working device reports success, and untold siblings share octets',
  expected: fixedCells,
  template: 'plain',
  run: (stage) => run(stage, condition),
});

export const creditedAttacks: readonly ForkAttack[] = [
  attack(
    'no-device',
    { lab: 'device is a file' },
    'An agent whose random device is a regular file (ENOTTY) never reports success.',
  ),
  attack(
    'no-sys-admin',
    { lab: 'without CAP_SYS_ADMIN' },
    'An agent without CAP_SYS_ADMIN (EPERM) never reports success.',
  ),
];
