/**
 * How the objects of the checked world are called, and what renaming one claim, pod or process into another
 * makes of a text in which they occur.
 */
import type { Scope } from './scope.ts';

/** Processes are told apart while they live; who is dead is nobody's self any more. */
const letters = ['A', 'B', 'C', 'D'] as const;

export const processName = (controller: number): string => `process-${letters[controller]}`;
export const controllerName = (controller: number): string => letters[controller] ?? '?';
export const claimUid = (claim: number): string => `uid-claim-${claim}`;
export const claimName = (scope: Scope, claim: number): string =>
  scope.sameName ? 'the-claim' : `claim-${claim}`;
export const podName = (pod: number): string => `husk-${pod}`;
export const podUid = (pod: number): string => `uid-husk-${pod}`;
/** The pod that a tenant makes under the name of a husk. */
export const replacementUid = (pod: number): string => `uid-replaced-${pod}`;
export const podAddress = (pod: number): string => `10.0.1.${pod}`;
export const replacementAddress = (pod: number): string => `10.0.2.${pod}`;
/** The token Secret that a process made for a claim. */
export const tokenName = (controller: number, claim: number): string =>
  `token-${letters[controller]}-${claim}`;
/** Stands for the version that was read, whatever it was; see `thinking.ts`. */
export const versionOf = (uid: string): string => `version of ${uid}`;
export const recordVersion = (pod: number): string => `version of record ${pod}`;

/** `claims[i]` is what claim i becomes. */
export interface Renaming {
  readonly claims: readonly number[];
  readonly pods: readonly number[];
  readonly controllers: readonly number[];
}

function permutations(count: number): (readonly number[])[] {
  if (count === 0) return [[]];
  return permutations(count - 1).flatMap((rest) =>
    Array.from({ length: count }, (_, at) => [...rest.slice(0, at), count - 1, ...rest.slice(at)]),
  );
}

const isIdentity = (permutation: readonly number[]): boolean =>
  permutation.every((image, index) => image === index);

/** Every way to rename claims among claims, pods among pods, controllers among controllers; first: none. */
export function renamingsOf({ claims, husks, controllers }: Scope): readonly Renaming[] {
  const all = permutations(claims).flatMap((first) =>
    permutations(husks.length).flatMap((second) =>
      permutations(controllers).map((third) => ({ claims: first, pods: second, controllers: third })),
    ),
  );
  const weight = ({ claims: a, pods: b, controllers: c }: Renaming) =>
    [a, b, c].filter((permutation) => !isIdentity(permutation)).length;
  return all.sort((a, b) => Number(weight(a) > 0) - Number(weight(b) > 0));
}

export const renamesPodsOnly = ({ claims, controllers }: Renaming): boolean =>
  isIdentity(claims) && isIdentity(controllers);

export function inverseOf(renamings: readonly Renaming[], of: number): number {
  const { claims, pods, controllers } = renamings[of] as Renaming;
  return renamings.findIndex(
    (one) =>
      claims.every((image, index) => one.claims[image] === index) &&
      pods.every((image, index) => one.pods[image] === index) &&
      controllers.every((image, index) => one.controllers[image] === index),
  );
}

/** Renaming leaves the world as it was: husks become husks that behave alike, names are free to swap. */
export function isSymmetry({ claims, pods }: Renaming, scope: Scope): boolean {
  if (scope.sameName && !isIdentity(claims)) return false;
  return pods.every((image, index) => scope.husks[image] === scope.husks[index]);
}

const words =
  /\b(claim|husk|replaced)-(\d)|(10\.0\.[12]\.)(\d)|(version of record )(\d)|process-([A-D])|token-([A-D]|gone)-(\d)/g;

export function renameIn(text: string, { claims, pods, controllers }: Renaming): string {
  const process = (letter: string) =>
    letters[controllers[letters.indexOf(letter as 'A')] as number] ?? letter;
  return text.replace(words, (word, kind, index, net, host, record, recorded, by, maker, owner) => {
    if (kind === 'claim') return `claim-${claims[Number(index)]}`;
    if (kind !== undefined) return `${kind}-${pods[Number(index)]}`;
    if (net !== undefined) return `${net}${pods[Number(host)]}`;
    if (record !== undefined) return `${record}${pods[Number(recorded)]}`;
    if (by !== undefined) return `process-${process(by)}`;
    if (maker === undefined) return word;
    return `token-${maker === 'gone' ? maker : process(maker)}-${claims[Number(owner)]}`;
  });
}

/** The process of that controller is dead: whatever names it names nobody who lives. */
export function buryIn(text: string, controller: number): string {
  const letter = letters[controller];
  return text.replaceAll(`process-${letter}`, 'process-gone').replaceAll(`token-${letter}-`, 'token-gone-');
}
