/**
 * Generators of stagings: digests as people type them, files as attackers leave them, and when somebody
 * acts.
 */
import * as fc from 'fast-check';
import { contents, destination, digestOf } from '../models/staged-files.ts';
import { downloads, type StagingCase, type Tamper, tampers } from '../models/stager.ts';

export const goodDigest = digestOf(contents.good);

export const verified = { sha256: goodDigest, allowUnverified: false, destination };

/** The path is open: nothing cached, the download is good, nobody interferes. */
export const plainStaging: StagingCase = {
  config: verified,
  cached: 'nothing',
  download: 'good',
  tampers: [],
  phases: ['stage', 'open'],
  turns: [],
  killAt: null,
  diskFull: false,
  writesMemfd: false,
};

export const cachedArbitrary = fc.constantFrom<StagingCase['cached']>(
  'nothing',
  'good',
  'evil',
  'empty',
  'half',
  'symlink',
  'fifo',
  'directory',
);
export const downloadArbitrary = fc.constantFrom(...downloads);

export const tamperArbitrary: fc.Arbitrary<Tamper> = fc.record({
  at: fc.nat({ max: 16 }),
  how: fc.constantFrom(...tampers),
  on: fc.constantFrom('destination' as const, 'predictable' as const),
});

/** Digests that are none, each close to one that is. */
export const malformedDigests: readonly string[] = [
  `${goodDigest}\n`,
  `${goodDigest} `,
  ` ${goodDigest}`,
  `${goodDigest}\r\n`,
  goodDigest.slice(1),
  goodDigest.slice(0, 63),
  `${goodDigest}0`,
  `sha256:${goodDigest}`,
  `0x${goodDigest.slice(2)}`,
  `${goodDigest.slice(0, 63)}g`,
  `${goodDigest.slice(0, 63)}\u0000`,
  `${goodDigest}\n${goodDigest}`,
  `${digestOf(contents.victim)}  /etc/victim\n${goodDigest}`,
  `${digestOf(contents.victim)}  /etc/victim\n`,
  `${digestOf(contents.victim)} */etc/victim\nanything`,
  ' ',
  '\n',
  'none',
  '\uff10'.repeat(64),
];

export const malformedDigest: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...malformedDigests),
  fc.stringMatching(/^[0-9a-fA-F]{1,63}$/),
  fc.stringMatching(/^[0-9a-fA-F]{65,130}$/),
);

/** A digest in any case of letters. */
export const anyCase = fc.constantFrom(
  goodDigest,
  goodDigest.toUpperCase(),
  goodDigest.replace(/[a-f]/, (letter) => letter.toUpperCase()),
);

export function notationOfStaging(input: StagingCase): string {
  const { config, cached, download, tampers: acts, phases, turns, killAt, diskFull, writesMemfd } = input;
  const digest = config.sha256 === goodDigest ? 'right' : JSON.stringify(config.sha256);
  return [
    `digest ${digest}${config.allowUnverified ? ', allowUnverified' : ''}`,
    `at dest: ${cached}`,
    `download: ${download}`,
    phases.join(' then '),
    ...acts.map(
      ({ at, how, on }) => `before step ${at}: ${how} ${on === 'destination' ? 'dest' : 'dest.tmp'}`,
    ),
    ...(turns.length > 0 ? [`a second stager at turns ${turns.map(Number).join('')}`] : []),
    ...(killAt === null ? [] : [`kill -9 at step ${killAt}`]),
    ...(diskFull ? ['disk full'] : []),
    ...(writesMemfd ? ['somebody writes an unsealed memfd'] : []),
  ].join('; ');
}
