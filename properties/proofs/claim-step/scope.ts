/** How large the world is that the model checker exhausts, and how much may go wrong in it. */
import type { HuskBehaviour } from '../../models/husk-host.ts';

export interface Scope {
  readonly name: string;
  /** Claims that exist from the beginning, each under a name of its own; see `sameName`. */
  readonly claims: number;
  /** Warm husks, one for each entry. */
  readonly husks: readonly HuskBehaviour[];
  readonly controllers: number;
  /** Husks and deliveries that are tried for one claim. */
  readonly maxAttempts: number;
  /** kill -9 of a controller that starts again at once. */
  readonly crashes: number;
  /**
   * How often a controller's cache of one kind of objects falls behind; how long it stays behind, and how many
   * thoughts are thought from it until then, is not bounded.
   */
  readonly lags: number;
  /** Writes and calls that are carried out without an answer, or never arrive. */
  readonly losses: number;
  /** Claims that their authors delete. */
  readonly deletions: number;
  /** Writes by others to a claim that change nothing but its version. */
  readonly annotations: number;
  /** Husks that die, whatever they are doing. */
  readonly deaths: number;
  /** Pods that a tenant deletes and makes again under their names. */
  readonly replacements: number;
  /** Whether the time in which a claim must have found a husk may pass, at any moment. */
  readonly timePasses: boolean;
  /** Only the first claim exists at first; the next one is created under the same name once that is free. */
  readonly sameName: boolean;
}

const quiet: Omit<Scope, 'name'> = {
  claims: 1,
  husks: ['honest', 'honest'],
  controllers: 2,
  maxAttempts: 3,
  crashes: 0,
  lags: 0,
  losses: 0,
  deletions: 0,
  annotations: 0,
  deaths: 0,
  replacements: 0,
  timePasses: false,
  sameName: false,
};

/** One claim, two honest husks, two controllers and no fault, but for what is said. */
export const scopeOf = (more: Partial<Scope> & { readonly name: string }): Scope => ({ ...quiet, ...more });

/** By part: what one thread exhausts, scope after scope. */
export const fullScopes: readonly (readonly Scope[])[] = [
  [
    { ...quiet, name: 'two claims, two crashes', claims: 2, crashes: 2 },
    { ...quiet, name: 'two claims, an old view', claims: 2, lags: 1, maxAttempts: 2 },
    { ...quiet, name: 'one claim, tenants', losses: 1, deletions: 1, deaths: 1, replacements: 1 },
    { ...quiet, name: 'a silent and an honest husk', husks: ['silent', 'honest'], crashes: 1, losses: 1 },
    { ...quiet, name: 'a forgetful and a refusing husk', husks: ['forgetful', 'refusing'], crashes: 1 },
  ],
  [
    { ...quiet, name: 'two claims end', claims: 2, deletions: 2, losses: 1, maxAttempts: 2 },
    {
      ...quiet,
      name: 'made again under its name',
      claims: 2,
      sameName: true,
      deletions: 1,
      lags: 1,
      maxAttempts: 2,
    },
    {
      ...quiet,
      name: 'one claim, every fault of processes',
      maxAttempts: 5,
      crashes: 2,
      losses: 1,
      deletions: 1,
      annotations: 1,
      timePasses: true,
    },
  ],
];

/** Some thousand states, in which each mutant that the proof names is still refuted. */
export const smallScopes: readonly Scope[] = [
  { ...quiet, name: 'a husk that refuses', controllers: 1, maxAttempts: 2, husks: ['refusing'] },
  { ...quiet, name: 'two claims, one husk', claims: 2, husks: ['honest'], maxAttempts: 1 },
  { ...quiet, name: 'one controller crashes', controllers: 1, crashes: 1, losses: 1, maxAttempts: 4 },
  { ...quiet, name: 'one controller, tenants', controllers: 1, replacements: 1, deletions: 1, losses: 1 },
  { ...quiet, name: 'one claim, an answer is lost', losses: 1 },
  {
    ...quiet,
    name: 'made again under its name',
    claims: 2,
    sameName: true,
    deletions: 1,
    lags: 1,
    husks: ['honest'],
    maxAttempts: 1,
  },
];

/** The bounds as a person reads them. */
export function boundsOf(scope: Scope): string {
  const { claims, husks, controllers, maxAttempts, sameName, timePasses } = scope;
  const many = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;
  const faults = [
    many(scope.crashes, 'crash').replace('crashs', 'crashes'),
    many(scope.lags, 'cache that falls behind').replace('behinds', 'behind').replace('2 cache', '2 caches'),
    many(scope.losses, 'lost answer or action').replace('actions', 'actions'),
    many(scope.deletions, 'deleted claim'),
    many(scope.annotations, 'annotation'),
    many(scope.deaths, 'dead husk'),
    many(scope.replacements, 'pod made again by a tenant').replace('tenants', 'tenant'),
  ].filter((text) => !text.startsWith('0 '));
  const odd = husks.filter((husk) => husk !== 'honest');
  return [
    `${scope.name}: ${many(claims, 'claim')}${sameName ? ' of one name, one after the other' : ''}`,
    `${many(husks.length, 'pod')}${odd.length === 0 ? '' : ` (${odd.join(', ')})`}`,
    many(controllers, 'controller'),
    `${many(maxAttempts, 'attempt')}`,
    ...(faults.length === 0 ? ['no fault'] : faults),
    ...(timePasses ? ['deadlines pass at any moment'] : []),
  ].join(', ');
}
