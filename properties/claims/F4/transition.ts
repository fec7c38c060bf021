/** F4.transition: every state that a life goes through, between its steps too. */
import * as fc from 'fast-check';
import {
  type Attack,
  control,
  forged,
  later,
  outward,
  ownToLocal,
} from '../../arbitraries/datapath-attacks.ts';
import { type Scene, scenes } from '../../arbitraries/sandbox-scenes.ts';
import { momentsOf, standing } from '../../models/datapath-life.ts';
import { type LifeEvent, type Moment, textOfEvent } from '../../models/datapath-world.ts';
import { contentOf } from '../../models/nft-listing.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim, residualCells } from '../claim.ts';
import {
  attackText,
  firstPacket,
  meet,
  metText,
  pathIsOpen,
  send,
  verdictText,
  violationOf,
} from '../datapath-claim.ts';

interface TransitionCase {
  readonly scene: Scene;
  readonly life: readonly LifeEvent[];
  /** Which moment of the life, as a share of 1,000. */
  readonly place: number;
  readonly attack: Attack;
}

const [pod, open0, open1, pin0, pin1] = standing as readonly [
  LifeEvent,
  LifeEvent,
  LifeEvent,
  LifeEvent,
  LifeEvent,
];
const at = (kind: 'open' | 'change' | 'back' | 'close', which: 0 | 1): LifeEvent => ({ kind, at: which });
const lives: readonly (readonly LifeEvent[])[] = [
  [pod, open0, at('close', 0)],
  [...standing, at('close', 1), at('close', 0)],
  [...standing, at('change', 0), at('close', 0), at('close', 1)],
  [...standing, at('change', 1), at('back', 1), at('close', 1), open1],
  [...standing, at('close', 0), open0, pin0],
  [pod, open1, pin1, at('change', 1), open0, at('close', 1), at('close', 0)],
];
/** IPv4 and IPv6, egress deny and allow, inbound ports of one, several and no senders. */
const few = [0, 1, 3, 8].map((index) => scenes[index] as Scene);

/** A life's steps that fail, what it leaves, and what it does to the other sandbox; once for each. */
const flaws = new WeakMap<readonly Moment[], Violation | null>();

function flawOf(scene: Scene, moments: readonly Moment[]): Violation | null {
  const known = flaws.get(moments);
  if (known !== undefined) return known;
  const found = refused(moments) ?? leftover(moments) ?? disturbed(scene, moments);
  flaws.set(moments, found);
  return found;
}

function refused(moments: readonly Moment[]): Violation | null {
  const failed = moments.find(({ error }) => error !== null);
  if (failed === undefined || failed.error === null) return null;
  const { errno, command, what } = failed.error;
  return {
    observed: `${failed.says}: the kernel refuses command ${command + 1}, ${what}: ${errno}`,
    required: 'every step of a life is taken',
    requiredRule: 'F4: a step that fails leaves what it should have removed',
  };
}

/** With no sandbox left the tables are those of the pod before its first. */
function leftover(moments: readonly Moment[]): Violation | null {
  const before = moments.findLast(({ says }) => says.startsWith(textOfEvent(pod)));
  const after = moments.findLast(({ standing: now, settled }) => settled && now.size === 0);
  if (before === undefined || after === undefined) return null;
  const fresh = new Set(contentOf(before.nft));
  const left = contentOf(after.nft).find((line) => !fresh.has(line));
  if (left === undefined) return null;
  return {
    observed: `after ${after.says}: ${left.slice(0, 160)}`,
    required: 'nothing of a sandbox is left when it is closed',
    requiredRule: 'findings.md F4, residual: "deletion leaves sets behind"',
  };
}

const probes = (scene: Scene, which: 0 | 1) => [
  firstPacket(scene, { by: which, protocol: 'tcp', destination: '1.1.1.1', port: 8443 }),
  firstPacket(scene, {
    by: which,
    protocol: 'udp',
    destination: scene.sandboxes[which].network.ipv4.resolver,
    port: 53,
  }),
  firstPacket(scene, { by: which, protocol: 'tcp', destination: '8.8.8.8', port: 9443 }),
];

/** What comes of the other's packets is the same before and after. */
function disturbed(scene: Scene, moments: readonly Moment[]): Violation | null {
  for (const [index, now] of moments.entries()) {
    const before = moments[index - 1];
    if (before === undefined) continue;
    for (const which of [0, 1] as const) {
      const { tap } = scene.sandboxes[which].network;
      if (now.says.includes(tap) || !now.up.has(tap) || !before.up.has(tap)) continue;
      for (const packet of probes(scene, which)) {
        const verdict = (moment: Moment) => {
          const { outcome } = send(scene, moment, packet);
          return `${outcome.kind} ${outcome.device?.name ?? ''}`;
        };
        const [was, is] = [verdict(before), verdict(now)];
        if (was === is) continue;
        return {
          observed: `${now.says}: a packet of the guest of ${tap} was ${was}, is ${is}`,
          required: 'the sibling is untouched',
          requiredRule: 'F4: removing one sandbox never disturbs another',
        };
      }
    }
  }
  return null;
}

function momentAt(moments: readonly Moment[], place: number): Moment | undefined {
  return moments[Math.min(moments.length - 1, Math.floor((place * moments.length) / 1_000))];
}

function judge(subject: Subject, { scene, life, place, attack }: TransitionCase): Violation | null {
  const moments = momentsOf(subject, scene, life);
  const flaw = flawOf(scene, moments);
  if (flaw !== null) return flaw;
  const now = momentAt(moments, place);
  // The flow began when everything stood, or just before.
  const then = moments.findLast((moment, index) => index <= moments.indexOf(now as Moment) && moment.settled);
  if (now === undefined) return null;
  const violation = violationOf(scene, meet(scene, then ?? now, now, attack));
  return violation === null ? null : { ...violation, observed: `${now.says}: ${violation.observed}` };
}

export const claim = defineClaim<TransitionCase>({
  id: 'F4.transition',
  statement:
    'In every state between no sandbox, set-up, policy change, tear-down: no hole, no leak, sibling untouched.',
  source:
    'findings.md F4, residual: "rules are installed in several steps after the tap is up; deletion leaves sets behind"',
  blindSpot: `${lives.length} lives of two sandboxes, ${few.length} scenes; a step that is interrupted half-way is tier kernel`,
  decisions: ['ruleset'],
  expected: { decision: residualCells, kernel: residualCells, vm: residualCells },
  weight: 0.29,
  arbitrary: () =>
    fc.constantFrom(...few).chain((scene) =>
      fc.record({
        scene: fc.constant(scene),
        life: fc.constantFrom(...lives),
        place: fc.nat({ max: 999 }),
        attack: fc.oneof(
          ownToLocal(scene),
          forged(scene),
          outward(scene),
          control(scene),
          later(scene, [null, 'tap0', 'tap1']),
        ),
      }),
    ),
  control: (subject) => pathIsOpen(subject, few[0] as Scene),
  judge,
  notation: ({ scene, life, attack }) =>
    `life: ${life.map(textOfEvent).join(', ')}\n${attackText(scene, attack)}`,
  observe(subject, input) {
    const { scene, life, place, attack } = input;
    const moments = momentsOf(subject, scene, life);
    const flaw = flawOf(scene, moments);
    if (flaw !== null) return flaw.observed;
    const now = momentAt(moments, place);
    const met = now === undefined ? null : meet(scene, now, now, attack);
    return `${now?.says}: ${met === null ? metText(null) : verdictText(met)}`;
  },
});
