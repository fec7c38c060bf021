/** F6.order: nothing runs and nothing is released out of its turn. */
import { type Finding, holds } from '../../finding.ts';
import { brokenBy, mustGrant, mustRefuse } from '../findings-of-answers.ts';
import type { Heard } from '../line-channel.ts';
import { type Missing, type Part, protocol } from '../part.ts';
import type { Executed } from '../service-session.ts';
import type { Settings } from '../settings.ts';
import type { Stage } from '../stage.ts';

const clause = `findings.md F6 Reference: exec passes only on the host’s release; ${protocol}`;

const isExecuted = (answer: Heard | Executed): answer is Executed => 'isServed' in answer;

/** @param granted what it means that it was done */
export function attackedBy(id: string, granted: string) {
  return async (stage: Stage): Promise<Finding> => {
    const attacked = await stage.attacked();
    if (attacked === null) {
      const observed = 'the first fork cannot be frozen again, and there is no other to attack';
      return { outcome: 'not-run', observed, give: 'a third --agent, or --fork COMMAND' };
    }
    const answer = attacked.answers.get(id);
    if (answer === undefined) {
      const why = brokenBy(attacked.judged.heard)?.observed ?? 'it speaks out of turn';
      const give = 'see F6.witness answer/told';
      return { outcome: 'not-run', observed: `the fork did not come so far: ${why}`, give };
    }
    return isExecuted(answer) ? refusedExec(answer, granted) : mustRefuse(answer, granted);
  };
}

function refusedExec({ isServed, heard }: Executed, granted: string): Finding {
  if (isServed) return { outcome: 'falsified', observed: granted };
  return brokenBy(heard) ?? holds('not served');
}

async function runReleased(stage: Stage): Promise<Finding> {
  for (const { judged, released } of await stage.siblings()) {
    if (judged.verdict.verdict !== 'admit') {
      const observed = 'no fork was admitted that could be released';
      return { outcome: 'not-run', observed, give: 'see F6.witness answer/told' };
    }
    const finding = mustGrant(released, 'released');
    if (finding.outcome !== 'holds') return finding;
  }
  return holds('each is released once it was admitted');
}

type Row = readonly [id: string, sends: string, never: string, granted: string, shows: string];

const init = '{"method":"init","argv":["true"],"timeout_ms":T}';
const rows: readonly Row[] = [
  [
    'release/before-told',
    'release of a fork that was told nothing',
    'it is released',
    'released before it was told of its fork',
    '{"method":"release","generation":G}',
  ],
  [
    'init/before-told',
    'init of the program true in a fork that was told nothing',
    'the program runs',
    'a program ran before the reseed',
    init,
  ],
  [
    'release/other-generation',
    'release of another generation than it was told',
    'it is released',
    'released for a generation that it was never told',
    '{"method":"release","generation":G+1}',
  ],
  [
    'init/before-release',
    'init of the program true between answer and release',
    'the program runs',
    'a program ran before the release',
    init,
  ],
];
const execRows: readonly Row[] = [
  [
    'exec/before-told',
    'exec of the program true in a fork that was told nothing',
    'it is served',
    'a program was served before the reseed',
    '{"id":1,"method":"exec","argv":["true"],…}',
  ],
  [
    'exec/before-release',
    'exec of the program true between answer and release',
    'it is served',
    'a program was served before the release',
    '{"id":2,"method":"exec","argv":["true"],…}',
  ],
];

const partOf = ([id, sends, never, granted, shows]: Row): Part => ({
  ...{ claim: 'F6.order', id, sends, never, clause },
  shows: [shows],
  run: attackedBy(id, granted),
});

export function orderParts({ services }: Settings): (Part | Missing)[] {
  const reason = 'nobody said where exec is asked for';
  const give = '--services ENDPOINT for each agent';
  return [
    ...rows.map(partOf),
    ...execRows.map((row): Part | Missing => {
      const [id, , never] = row;
      return services.length > 0 ? partOf(row) : { claim: 'F6.order', id, never, reason, give };
    }),
    {
      claim: 'F6.order',
      id: 'release/told',
      sends: 'release of a fork that was admitted: the positive control of the others',
      never: 'it is not released',
      clause,
      shows: ['{"method":"release","generation":G}'],
      run: runReleased,
    },
  ];
}
