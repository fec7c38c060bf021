/** F4.converge: how a policy came to stand leaves no trace. */
import * as fc from 'fast-check';
import { type Attack, later } from '../../arbitraries/datapath-attacks.ts';
import { type Scene, sceneArbitrary, scenes } from '../../arbitraries/sandbox-scenes.ts';
import { endOf, standing } from '../../models/datapath-life.ts';
import { type LifeEvent, textOfEvent } from '../../models/datapath-world.ts';
import { contentOf } from '../../models/nft-listing.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim, residualCells } from '../claim.ts';
import { attackText, meet, metText, pathIsOpen, violationOf } from '../datapath-claim.ts';

interface ConvergeCase {
  readonly scene: Scene;
  readonly way: Way;
  /** A packet of a flow that was begun before the change. */
  readonly attack: Attack;
}

interface Way {
  readonly changes: readonly LifeEvent[];
  /** How the same policies come to stand at once. */
  readonly fresh: readonly LifeEvent[];
}

const [pod, open0, open1, ...pins] = standing as readonly LifeEvent[];
const change: LifeEvent = { kind: 'change', at: 0 };
const back: LifeEvent = { kind: 'back', at: 0 };
const freshNext = [pod, { kind: 'open-next', at: 0 }, open1, ...pins] as readonly LifeEvent[];
const fresh = [pod, open0, open1, ...pins] as readonly LifeEvent[];
const ways: readonly Way[] = [
  { changes: [change], fresh: freshNext },
  { changes: [change, back], fresh },
  { changes: [change, back, change], fresh: freshNext },
];

const differences = new WeakMap<Subject, Map<string, Violation | null>>();

function difference(subject: Subject, scene: Scene, way: Way): Violation | null {
  const known = differences.get(subject) ?? new Map<string, Violation | null>();
  differences.set(subject, known);
  const key = `${scene.index} ${ways.indexOf(way)}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const found = compare(subject, scene, way);
  known.set(key, found);
  return found;
}

function compare(subject: Subject, scene: Scene, way: Way): Violation | null {
  const after = endOf(subject, scene, [...standing, ...way.changes]);
  const wanted = endOf(subject, scene, way.fresh);
  const [ours, theirs] = [contentOf(after.nft), contentOf(wanted.nft)];
  const extra = ours.find((line) => !theirs.includes(line));
  const missing = theirs.find((line) => !ours.includes(line));
  if (extra === undefined && missing === undefined) return null;
  const short = (line: string | undefined) => {
    if (line === undefined) return 'nothing of the kind';
    const [name = '', body = ''] = line.split(/ (?=\{ )/s);
    const words = name.replace(/ \{".*$/, '');
    return words.startsWith('chain')
      ? `${words}, ${body.split('; [').length} rules`
      : `${words} ${body.slice(0, 160)}`;
  };
  return {
    observed: `after ${way.changes.map(textOfEvent).join(', ')}: ${short(extra)}`,
    required: `as when the policy is the first one: ${short(missing)}`,
    requiredRule: 'F4 invariant 7: after any policy change p → q the ruleset equals a fresh q',
  };
}

function judge(subject: Subject, { scene, way, attack }: ConvergeCase): Violation | null {
  const different = difference(subject, scene, way);
  if (different !== null) return different;
  const then = endOf(subject, scene, standing);
  const now = endOf(subject, scene, [...standing, ...way.changes]);
  return violationOf(scene, meet(scene, then, now, attack));
}

export const claim = defineClaim<ConvergeCase>({
  id: 'F4.converge',
  statement: 'After p → q the ruleset equals a fresh q and flows that q forbids are cut.',
  source: 'findings.md F4, residual: "re-applying a narrower policy leaves the wider accepts in front"',
  blindSpot: 'entries that conntrack still holds pass nowhere; that they are deleted is tier kernel',
  decisions: ['ruleset'],
  expected: { decision: residualCells, kernel: residualCells, vm: residualCells },
  weight: 0.29,
  arbitrary: () =>
    sceneArbitrary.chain((scene) =>
      fc.record({ scene: fc.constant(scene), way: fc.constantFrom(...ways), attack: later(scene, [null]) }),
    ),
  control: (subject) => pathIsOpen(subject, scenes[0] as Scene),
  judge,
  notation: ({ scene, way, attack }) =>
    `${way.changes.map(textOfEvent).join(', ')}; then ${attackText(scene, attack)}`,
  observe(subject, { scene, way, attack }) {
    const different = difference(subject, scene, way);
    if (different !== null) return `${different.observed}\n${different.required}`;
    const then = endOf(subject, scene, standing);
    return metText(meet(scene, then, endOf(subject, scene, [...standing, ...way.changes]), attack));
  },
});
