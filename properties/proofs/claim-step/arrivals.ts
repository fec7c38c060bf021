/**
 * What an action does when it arrives: at the API server, whose rules are those of `models/api-server.ts`, or
 * at a husk, as in `models/husk-host.ts`. The bisimulation test holds both to it, step for step.
 * Invariants that speak of one action (who deletes what, who is sent what, after which intent) are judged here.
 */
import type { Action, Outcome } from '../../models/claim-world.ts';
import type { Violation } from '../../oracles/violation.ts';
import type { DeedFacts, Facts, HuskContent, PastContent } from './facts.ts';
import { absent, fresh, type Layout, unborn } from './layout.ts';
import type { Lexicon } from './lexicon.ts';
import { patched } from './merge-patch.ts';
import { claimName, claimUid, podAddress, podName, podUid, replacementAddress, tokenName } from './names.ts';
import { plain } from './plain-claim.ts';
import type { Scope } from './scope.ts';
import { forgets, forgotten, reassigned, removes, sends } from './violations.ts';

type Patch = Extract<Action, { kind: 'patch' }>;
type Delete = Extract<Action, { kind: 'delete' }>;
type Call = Extract<Action, { kind: 'dial' | 'deliver' | 'dehydrate' | 'snapshot' }>;
type WriteResult = Extract<Outcome, { of: 'write' }>['result'];

/** How an action ends: carried out and answered, carried out with its answer lost, or never arrived. */
export type Fate = 'answered' | 'answer lost' | 'never arrived';

export class Arrivals {
  readonly #scope: Scope;
  readonly #layout: Layout;
  readonly #lexicon: Lexicon;
  readonly #facts: Facts;
  /** By content and patch: the content afterwards. */
  readonly #merged = new Map<number, number>();
  /** By husk, what happens and about which claim: the husk afterwards. */
  readonly #happened = new Map<number, number>();
  readonly #oneMore: number[] = [];
  readonly #answers = new Map<number, Outcome>();
  /** What the last arrival broke. */
  broken: Violation | null = null;
  /** Controllers, as bits, whose caches do not learn of what is stored next. */
  missing = 0;

  constructor(scope: Scope, layout: Layout, lexicon: Lexicon, facts: Facts) {
    this.#scope = scope;
    this.#layout = layout;
    this.#lexicon = lexicon;
    this.#facts = facts;
  }

  /**
   * Lets the action arrive in `state`, which is changed. `controller`: whose it was, -1 when that process is
   * dead. What its worker is told.
   */
  arrive(state: Uint16Array, number: number, controller: number, fate: Fate): Outcome | null {
    const facts = this.#facts.deed(number) as DeedFacts;
    const outcome = fate === 'never arrived' ? null : this.#carryOut(state, number, facts, controller);
    return this.#noted(number, controller, fate === 'answered' ? outcome : unknownEnd(facts.action));
  }

  /** Equal answers are one object, so that what they do to a memory need be asked only once. */
  #noted(number: number, controller: number, outcome: Outcome | null): Outcome | null {
    if (outcome === null) return null;
    const about =
      outcome.of === 'dial'
        ? claimOf(outcome.holds)
        : outcome.of === 'write' && outcome.created?.uid.startsWith('uid-replaced') === true
          ? 7
          : controller + 1;
    const key = (number * results.length + results.indexOf(outcome.result)) * 8 + about;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    this.#answers.set(key, outcome);
    return outcome;
  }

  #carryOut(state: Uint16Array, number: number, facts: DeedFacts, controller: number): Outcome | null {
    const { action, claim } = facts;
    switch (action.kind) {
      case 'patch':
        return this.#patch(state, number, action);
      case 'delete':
        return this.#remove(state, claim, action);
      case 'create':
        return this.#createToken(claim, action, controller);
      case 'dial':
      case 'deliver':
      case 'dehydrate':
        return this.#call(state, claim, action);
      default:
        throw new Error(`no such action in this world: ${action.kind}`);
    }
  }

  /**
   * Stores a content under a new version: every write that names the old one as its precondition is out of
   * date, and so is the copy of each controller that misses it.
   */
  store(state: Uint16Array, position: number, content: number): void {
    const layout = this.#layout;
    const before = state[position] as number;
    for (let controller = 0; controller < layout.controllers; controller++) {
      const copy = layout.copy(controller, position);
      if (state[copy] === fresh && (this.missing & (1 << controller)) !== 0) state[copy] = before;
      for (let claim = 0; claim < layout.claims; claim++) {
        const pending = layout.pending(controller, claim);
        if (this.#facts.deed(state[pending] as number)?.guard === position) state[pending] = absent;
      }
    }
    for (let slot = layout.afloat; slot < layout.afloat + layout.afloatSlots; slot++) {
      if (this.#facts.deed(state[slot] as number)?.guard === position) state[slot] = absent;
    }
    state[position] = content;
  }

  /** Where the object of that name is stored; 0: nowhere. */
  target(state: Uint16Array, { kind, name }: Patch['target']): number {
    const { claims, pods } = this.#layout;
    for (let index = 0; index < Math.max(claims, pods); index++) {
      const position =
        kind === 'SandboxClaim' && index < claims && name === claimName(this.#scope, index)
          ? this.#layout.claim(index)
          : kind === 'Pod' && index < pods && name === podName(index)
            ? this.#layout.pod(index)
            : kind === 'HuskRecord' && index < pods && name === podUid(index)
              ? this.#layout.record(index)
              : 0;
      if (position !== 0 && state[position] !== absent && state[position] !== unborn) return position;
    }
    return 0;
  }

  #uidAt(state: Uint16Array, position: number): string {
    const { metadata } = this.#lexicon.valueOf(state[position] as number) as {
      readonly metadata: { readonly uid: string };
    };
    return metadata.uid;
  }

  #patch(state: Uint16Array, number: number, action: Patch): Outcome {
    const { target, subresource, precondition, purpose } = action;
    const position = this.target(state, target);
    const uid = precondition.uid ?? null;
    if (position === 0) return written(purpose, 'not-found', uid);
    const stored = this.#uidAt(state, position);
    if (uid !== null && subresource !== 'status' && uid !== stored) return written(purpose, 'conflict', uid);
    const before = state[position] as number;
    const after = this.#mergedInto(before, number, action);
    if (after !== before) this.#replace(state, position, before, after);
    return written(purpose, 'done', uid, { name: target.name, uid: stored });
  }

  #mergedInto(before: number, number: number, action: Patch): number {
    const key = before * 0x10000 + number;
    const known = this.#merged.get(key);
    if (known !== undefined) return known;
    const object = patched(this.#lexicon.valueOf(before) as Readonly<Record<string, unknown>>, action);
    const after = this.#lexicon.numberOf(object === null ? null : plain(object));
    this.#merged.set(key, after);
    return after;
  }

  #replace(state: Uint16Array, position: number, before: number, after: number): void {
    const layout = this.#layout;
    this.store(state, position, after);
    switch (layout.kindAt(position)) {
      case 'claims': {
        const claim = position - layout.claim(0);
        if (after === absent) {
          this.broken ??= forgotten(state, claim, layout, this.#facts);
          return;
        }
        const { intends } = this.#facts.claim(after);
        if (intends >= 0) this.#note(state, intends, 'intended', claim);
        return;
      }
      case 'records': {
        const pod = position - layout.record(0);
        const holder = this.#facts.holder(after);
        this.broken ??= reassigned(pod, this.#facts.holder(before), holder);
        if (holder >= 0) this.#note(state, pod, 'held', holder);
        return;
      }
      case 'pods':
        return;
    }
  }

  #huskAt(state: Uint16Array, pod: number): HuskContent {
    return this.#lexicon.valueOf(state[this.#layout.husk(pod)] as number) as HuskContent;
  }

  /** Something happens to a husk; the claim that it is about, -1: none. */
  #note(state: Uint16Array, pod: number, what: Happening, claim: number): void {
    const at = this.#layout.husk(pod);
    const before = state[at] as number;
    const key = (before * 8 + claim + 1) * 8 + happenings.indexOf(what);
    let after = this.#happened.get(key);
    if (after === undefined) {
      after = this.#lexicon.numberOf(afterwards(this.#huskAt(state, pod), what, claim));
      this.#happened.set(key, after);
    }
    state[at] = after;
  }

  stopHusk(state: Uint16Array, pod: number): void {
    this.#note(state, pod, 'stopped', -1);
  }

  #remove(state: Uint16Array, claim: number, { target, precondition, purpose }: Delete): Outcome {
    const uid = precondition.uid ?? null;
    if (target.kind === 'Secret') return this.#revoke(claim, target.name, uid, purpose);
    const position = this.target(state, target);
    if (position === 0) return written(purpose, 'not-found', uid);
    const stored = this.#uidAt(state, position);
    if (uid !== null && uid !== stored) return written(purpose, 'conflict', uid);
    const layout = this.#layout;
    if (layout.kindAt(position) === 'pods') {
      const pod = position - layout.pod(0);
      this.broken ??= removes(state, claim, pod, stored, layout, this.#facts);
      if (stored === podUid(pod)) this.stopHusk(state, pod);
    } else {
      this.broken ??= forgets(state, claim, position - layout.record(0), layout, this.#facts);
    }
    this.store(state, position, absent);
    return written(purpose, 'done', uid, { name: target.name, uid: stored });
  }

  /** Whether it was revoked before makes no difference to anybody: see `takeIn`. */
  #revoke(claim: number, name: string, uid: string | null, purpose: string): Outcome {
    if (!name.endsWith(`-${claim}`)) {
      this.broken ??= {
        observed: `for claim-${claim} the Secret ${name} is deleted`,
        required: 'only what it owns',
        requiredRule: 'findings.md F3: tenant-side objects are reached by UID and owner',
      };
    }
    return written(purpose, 'done', uid, { name, uid: `uid-${name}` });
  }

  /** All tokens that one process makes for one claim are one: see the assumptions. */
  #createToken(
    claim: number,
    { object, purpose }: Extract<Action, { kind: 'create' }>,
    controller: number,
  ): Outcome {
    const { kind, metadata } = object as { kind?: string; metadata?: { generateName?: string } };
    if (kind !== 'Secret' || metadata?.generateName === undefined) {
      throw new Error('this world knows no create but that of a token under a generated name');
    }
    const name = tokenName(controller, claim);
    return written(purpose, 'done', null, { name, uid: `uid-${name}` });
  }

  /** Whoever lives at the address: a husk, a pod of a tenant, nobody. */
  #answering(state: Uint16Array, { address }: Call): { pod: number; hostile: boolean } | null {
    for (let pod = 0; pod < this.#layout.pods; pod++) {
      if (address === podAddress(pod) && this.#huskAt(state, pod).alive) return { pod, hostile: false };
      const stored = state[this.#layout.pod(pod)] as number;
      if (address !== replacementAddress(pod) || stored === absent) continue;
      if (this.#uidAt(state, this.#layout.pod(pod)) !== podUid(pod)) return { pod, hostile: true };
    }
    return null;
  }

  #call(state: Uint16Array, claim: number, action: Call): Outcome {
    const podUidMeant = action.pod.uid;
    const peer = this.#answering(state, action);
    const meant = action.identity?.podUid ?? null;
    const delivers = action.kind === 'deliver';
    const dialEnd = (result: 'refused' | 'other-peer' | 'unknown' | 'proved', holds: string | null) =>
      ({ of: 'dial', podUid: podUidMeant, result, holds }) as const;
    const callEnd = (result: 'done' | 'refused' | 'unknown') =>
      ({ of: action.kind as 'deliver' | 'dehydrate', podUid: podUidMeant, result, digest: null }) as const;
    if (action.kind === 'dehydrate') return callEnd('done');
    if (peer === null) return delivers ? callEnd('refused') : dialEnd('refused', null);
    const { pod, hostile } = peer;
    const isMeant = meant === null || (!hostile && meant === podUid(pod));
    if (!isMeant) return delivers ? callEnd('refused') : dialEnd('other-peer', null);
    this.broken ??= sends(state, claim, pod, hostile, delivers, this.#layout, this.#facts);
    if (hostile) return delivers ? callEnd('done') : dialEnd('proved', null);
    const { behaviour, holds } = this.#huskAt(state, pod);
    if (!delivers) return behaviour === 'silent' ? dialEnd('unknown', null) : dialEnd('proved', holds);
    return callEnd(this.#deliver(state, claim, pod));
  }

  #deliver(state: Uint16Array, claim: number, pod: number): 'done' | 'refused' | 'unknown' {
    this.#note(state, pod, 'seen', claim);
    const position = this.#layout.past(claim);
    const before = state[position] as number;
    this.#oneMore[before] ??= this.#lexicon.numberOf({
      sent: (this.#lexicon.valueOf(before) as PastContent).sent + 1,
    } satisfies PastContent);
    state[position] = this.#oneMore[before] as number;
    const husk = this.#huskAt(state, pod);
    const holder = claimUid(claim);
    if (husk.behaviour === 'silent') return 'unknown';
    if (husk.behaviour === 'refusing') return 'refused';
    if (husk.holds !== null && husk.holds !== holder) return 'refused';
    const again = husk.holds === holder;
    if (!again) this.#note(state, pod, 'activated', claim);
    return husk.behaviour === 'forgetful' && !again ? 'unknown' : 'done';
  }
}

const results: readonly Outcome['result'][] = [
  'done',
  'conflict',
  'not-found',
  'exists',
  'invalid',
  'unknown',
  'proved',
  'other-peer',
  'refused',
];

/** 0: none. */
const claimOf = (uid: string | null): number => (uid === null ? 0 : Number(uid.at(-1)) + 1);

const happenings = ['intended', 'seen', 'held', 'activated', 'stopped'] as const;
type Happening = (typeof happenings)[number];

function afterwards(husk: HuskContent, what: Happening, claim: number): HuskContent {
  const uid = claimUid(claim);
  switch (what) {
    case 'intended':
    case 'seen':
      return husk[what].includes(uid) ? husk : { ...husk, [what]: [...husk[what], uid] };
    case 'held':
      return { ...husk, held: uid };
    case 'activated':
      return { ...husk, holds: uid };
    case 'stopped':
      return { ...husk, alive: false };
  }
}

type Created = { readonly name: string; readonly uid: string } | null;

function written(purpose: string, result: WriteResult, uid: string | null, created: Created = null): Outcome {
  return { of: 'write', purpose, result, uid, created };
}

/** No answer came in time. */
export function unknownEnd(action: Action): Outcome | null {
  switch (action.kind) {
    case 'patch':
    case 'delete':
      return written(action.purpose, 'unknown', action.precondition.uid ?? null);
    case 'create':
      return written(action.purpose, 'unknown', null);
    case 'dial':
      return { of: 'dial', podUid: action.pod.uid, result: 'unknown', holds: null };
    case 'deliver':
    case 'dehydrate':
      return { of: action.kind, podUid: action.pod.uid, result: 'unknown', digest: null };
    default:
      return null;
  }
}
