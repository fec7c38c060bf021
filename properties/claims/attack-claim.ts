/** Claims of F4 whose case is one attack in one scene, at one phase of its life. */
import * as fc from 'fast-check';
import { type Attack, honestLink } from '../arbitraries/datapath-attacks.ts';
import { type Scene, sceneArbitrary, scenes } from '../arbitraries/sandbox-scenes.ts';
import { changed, endOf, standing } from '../models/datapath-life.ts';
import type { Body, IpPacket } from '../models/datapath-packet.ts';
import type { Violation } from '../oracles/violation.ts';
import type { Subject } from '../subjects/subject.ts';
import { type Claim, defineClaim } from './claim.ts';
import { attackText, type Met, meet, metText, pathIsOpen, violationOf } from './datapath-claim.ts';

export interface AttackCase {
  readonly scene: Scene;
  readonly phase: Phase;
  readonly attack: Attack;
}

/** `changed`: both policies were changed since the flow began. */
export type Phase = 'standing' | 'changed';
const lives = { standing, changed };

type Fixed = 'decisions' | 'arbitrary' | 'control' | 'judge' | 'notation' | 'observe' | 'examples';

export interface AttackClaim extends Omit<Claim<AttackCase>, Fixed> {
  readonly attacks: (scene: Scene) => fc.Arbitrary<Attack>;
  readonly phases: readonly Phase[];
  readonly examples?: readonly AttackCase[];
  /** Absent: the invariants. */
  readonly objection?: (scene: Scene, met: Met | null) => Violation | null;
}

/** The packet that a finding speaks of, in the first scene: judged first, and what `repro` shows. */
export function example(attack: Attack, phase: Phase = 'standing'): AttackCase {
  return { scene: scenes[0] as Scene, phase, attack };
}

/** What the guest of tap0 sends in a scene; a number for the body is the port of a TCP SYN. */
export function guestSends(
  source: string,
  destination: string,
  body: Body | number,
  { index = 0, ...odd }: { readonly index?: number } & Pick<IpPacket, 'options' | 'fragment'> = {},
): AttackCase {
  const scene = scenes[index] as Scene;
  const syn: Body | null =
    typeof body === 'number' ? { kind: 'tcp', sport: 40_000, dport: body, flags: 0x02 } : null;
  const content = {
    kind: 'ip' as const,
    source,
    destination,
    hops: 64,
    body: syn ?? (body as Body),
    ...odd,
  };
  const packet = { port: 'tap0' as const, link: honestLink(scene, 0), content };
  return { scene, phase: 'standing', attack: { kind: 'first', state: 'new', packet } };
}

export function metBy(subject: Subject, { scene, phase, attack }: AttackCase): Met | null {
  return meet(scene, endOf(subject, scene, standing), endOf(subject, scene, lives[phase]), attack);
}

export function attackClaim(definition: AttackClaim): Claim<AttackCase> {
  const { attacks, phases, examples, objection = violationOf, ...claim } = definition;
  return defineClaim<AttackCase>({
    weight: 0.29,
    ...claim,
    decisions: ['ruleset'],
    arbitrary: () =>
      sceneArbitrary.chain((scene) =>
        fc.record({ scene: fc.constant(scene), phase: fc.constantFrom(...phases), attack: attacks(scene) }),
      ),
    ...(examples === undefined ? {} : { examples: () => examples }),
    control: (subject) => pathIsOpen(subject, scenes[0] as Scene),
    judge: (subject, input) => objection(input.scene, metBy(subject, input)),
    notation: ({ scene, phase, attack }) =>
      `${attackText(scene, attack)}${phase === 'changed' ? '\nafter both policies changed' : ''}`,
    observe: (subject, input) => metText(metBy(subject, input)),
  });
}
