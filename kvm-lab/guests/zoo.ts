/**
 * The zoo: guests that misbehave when they are forked, each with what it does and who of its forks may not pass.
 * A guest is chosen by a word of the kernel's command line; up to its snapshot it is the honest agent.
 * Invariant: names are words of a command line; a name means the same in each engine and on each kernel.
 */
import { malformationNames, proofForms } from '#properties/models/reseed-guest.ts';

/** `huskproof.guest=NAME`: every fork is that one; `huskproof.guest=every`: the fork of generation n is the n-th. */
export const zooWord = 'huskproof.guest';
export const everyGuest = 'every';

export interface ZooGuest {
  readonly name: string;
  readonly does: string;
  /** `clones`: of those that draw the same octets, all but one; it takes a deterministic clock to have such. */
  readonly refused: 'always' | 'all siblings but one' | 'forks of its fork' | 'clones' | 'never';
  /** `witness`: nothing that it says gives it away, the VMM's look at its generator does. */
  readonly seenBy: 'answer' | 'witness' | 'release';
  /** What happens before the snapshot is of one guest alone. */
  readonly needsOwnTemplate?: true;
}

type Row = readonly [name: string, does: string];
const rows = (of: readonly Row[], rest: Omit<ZooGuest, 'name' | 'does'>): ZooGuest[] =>
  of.map(([name, does]) => ({ name, does, ...rest }));

const noAnswer: readonly Row[] = [
  ['silent', 'answers nothing'],
  ['slow', 'does all that is right, and says so a minute late'],
  ['partial-line', 'sends its answer but for the newline'],
  ['dripping', 'sends its answer an octet a second'],
  ['busy-loop', 'computes for ever: to its VMM it runs'],
  ['halts', 'stops its processors'],
  ['reboots', 'restarts the machine'],
  ['powers-off', 'turns the machine off'],
  ['panics', 'crashes its kernel'],
  ['exits', 'ends: PID 1 is gone'],
  ['eats-memory', 'takes all memory that there is'],
];

const noLine: readonly Row[] = [
  ['garbage', 'answers random octets and a newline'],
  ['not-utf8', 'puts octets that are no UTF-8 into its answer'],
  ['flood', 'answers octets without end, and no newline'],
  ['many-lines', 'sends its answer, and other lines without end'],
  ['two-answers', 'answers twice'],
  ['lying-boolean', 'answers the two booleans of agents before the proof'],
  ['refuses', 'says by itself that it could not'],
];

const otherFork: readonly Row[] = [
  ['stale-generation', 'answers for the generation before, field and proof'],
  ['stale-field', 'names the generation before; the proof is of this one'],
  ['stale-proof', 'proves the generation before; the field is of this one'],
  ['later-generation', 'answers for the generation after'],
];

const noReseed: readonly Row[] = [
  ['says-nothing-was-done', 'reseeds without the seed, and says so'],
  ['enotty', 'its random device is another: both ioctls end with ENOTTY, and it says so'],
  ['no-sys-admin', 'lost CAP_SYS_ADMIN: both ioctls end with EPERM, and it says so'],
];

const unseenReseed: readonly Row[] = [
  ['nothing-done', 'does nothing, draws its sample and says that it reseeded'],
  ['credited-only', 'credits the seed and forces no reseed; both calls succeed'],
  ['uncredited', 'writes the seed to the random device, and forces no reseed'],
  ['mixing', 'does nothing, and mixes the nonce into what it draws, so that no two samples are the same'],
  ['inventing', 'does nothing, and invents its sample'],
  ['credited-only-inventing', 'credits the seed, forces no reseed, and invents its sample'],
  ['enotty-lying', 'both ioctls end with ENOTTY; it says that they succeeded'],
  ['no-sys-admin-lying', 'both ioctls end with EPERM; it says that they succeeded'],
];

const clock: readonly Row[] = [
  ['reseed-only', 'forces a reseed without the seed'],
  ['reseed-only-inventing', 'forces a reseed without the seed, and invents its sample'],
  ['same-seed', 'credits a seed of its own, the same in each fork, and forces the reseed'],
];

const atRelease: readonly Row[] = [
  ['silent-at-release', 'passes the gate, and does not answer to the release'],
  ['refuses-release', 'passes the gate, and refuses to be released'],
  ['panics-at-release', 'passes the gate, and crashes its kernel at the release'],
];

const wordOf = (text: string) => text.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase();

/** Of the decision tier's model: each way to write an answer, and to compute a proof, that is nearly right. */
export const malformedGuests = new Map(malformationNames.map((how) => [`answer-${wordOf(how)}`, how]));
export const wrongProofGuests = new Map(
  proofForms.filter((form) => form !== 'as specified').map((form) => [`proof-${wordOf(form)}`, form]),
);
const ofModel = (names: ReadonlyMap<string, string>, what: string): Row[] =>
  [...names].map(([name, how]) => [name, `${what}: ${how}`]);

const always = { refused: 'always', seenBy: 'answer' } as const;

export const zoo: readonly ZooGuest[] = [
  ...rows([['honest', 'does all that is right']], { refused: 'never', seenBy: 'answer' }),
  ...rows(noAnswer, always),
  ...rows(noLine, always),
  ...rows(ofModel(malformedGuests, 'answers what is nearly right'), always),
  ...rows(ofModel(wrongProofGuests, 'proves what is nearly right'), always),
  ...rows(otherFork, always),
  ...rows(noReseed, always),
  ...rows(unseenReseed, { refused: 'always', seenBy: 'witness' }),
  ...rows([['same-sample', 'reseeds as it should; its sample is the same in all siblings']], {
    refused: 'all siblings but one',
    seenBy: 'answer',
  }),
  ...rows([['replayed-answer', 'its first fork is honest; forks of that send its answer again']], {
    refused: 'forks of its fork',
    seenBy: 'answer',
  }),
  ...rows(clock, { refused: 'clones', seenBy: 'answer' }),
  ...rows(atRelease, { refused: 'always', seenBy: 'release' }),
  ...rows([['speaks-first', 'sends an answer before it is asked']], { ...always, needsOwnTemplate: true }),
];

/** Of one template: the fork of generation n is the n-th, and after the last one comes the first. */
export const zooInTurn: readonly ZooGuest[] = zoo.filter(({ needsOwnTemplate }) => needsOwnTemplate !== true);

/** What the fork of a generation is, or null when the word names no guest. */
export function guestOf(chosen: string, generation: number): ZooGuest | null {
  if (chosen !== everyGuest) return zoo.find(({ name }) => name === chosen) ?? null;
  return zooInTurn[(generation - 1) % zooInTurn.length] ?? null;
}
