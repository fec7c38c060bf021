/** Lives of a pod as a subject runs it, each event done once: what led to a moment names it. */
import type { Scene } from '../arbitraries/sandbox-scenes.ts';
import type { Subject } from '../subjects/subject.ts';
import { happen, type LifeEvent, type Moment, start, textOfEvent } from './datapath-world.ts';

/** The decision keeps no state, so that lives with the same beginning share it. */
const lives = new WeakMap<Subject, Map<Scene, Map<string, readonly Moment[]>>>();

/** Every moment from the first event on. */
export function momentsOf(subject: Subject, scene: Scene, events: readonly LifeEvent[]): readonly Moment[] {
  const byScene = lives.get(subject) ?? new Map<Scene, Map<string, readonly Moment[]>>();
  lives.set(subject, byScene);
  const known = byScene.get(scene) ?? new Map<string, readonly Moment[]>();
  byScene.set(scene, known);
  const reach = (count: number): readonly Moment[] => {
    const last = events[count - 1];
    if (last === undefined) return [];
    const name = events.slice(0, count).map(textOfEvent).join(', ');
    const before = known.get(name);
    if (before !== undefined) return before;
    const earlier = reach(count - 1);
    const made = [...earlier, ...happen(subject, scene, earlier.at(-1) ?? start, last)];
    known.set(name, made);
    return made;
  };
  return reach(events.length);
}

export function endOf(subject: Subject, scene: Scene, events: readonly LifeEvent[]): Moment {
  return momentsOf(subject, scene, events).at(-1) ?? start;
}

/** Both sandboxes stand, and what DNS answered is pinned. */
export const standing: readonly LifeEvent[] = [
  { kind: 'open-pod' },
  { kind: 'open', at: 0 },
  { kind: 'open', at: 1 },
  { kind: 'pin', at: 0 },
  { kind: 'pin', at: 1 },
];

/** … and both policies changed since. */
export const changed: readonly LifeEvent[] = [
  ...standing,
  { kind: 'change', at: 0 },
  { kind: 'change', at: 1 },
];
