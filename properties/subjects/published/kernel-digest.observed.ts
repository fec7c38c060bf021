/**
 * What the published staging script was observed to do (findings.md F2): its next call after what the shell
 * told it.
 */
import { destination, predictable } from '../../models/staged-files.ts';
import type { kernelDigest } from '../../protocol/kernel-digest.ts';
import type { Observed } from '../observed.ts';

const sha256 = 'ab'.repeat(32);
type Row = Observed<typeof kernelDigest>;
type Event = Row['input']['event'];
const stage: Event = { kind: 'begin', phase: 'stage', suffix: '' };
const said = (yes: boolean): Event => ({ kind: 'result', error: null, yes });
const failed = (error: string): Event => ({ kind: 'result', error });
const worked: Event = { kind: 'result', error: null };

/** The state is the subject's own: the results so far. */
const after = (...results: Event[]) => ({ phase: 'stage', results });

function row(
  says: string,
  digest: string,
  state: unknown,
  event: Event,
  action: NonNullable<Row['output']['action']>,
): Row {
  const config = { sha256: digest, allowUnverified: false, destination };
  return { says, config, input: { state, event }, output: { action } };
}

const checks = (path: string) => ({ do: 'check-line' as const, line: `${sha256}  ${path}` });

export const observed: readonly Row[] = [
  row('skip-if-present: [ -f dest ]', sha256, null, stage, { do: 'is-file', path: destination }),
  row('verifies already staged files', sha256, after(), said(true), checks(destination)),
  row('empty means a loud warning: a file that is there stays', '', after(), said(true), {
    do: 'done',
    outcome: 'staged',
  }),
  row('downloads to `dest.tmp`', sha256, after(), said(false), { do: 'fetch', path: predictable }),
  row('verifies fresh files', sha256, after(said(false)), worked, checks(predictable)),
  row(
    'a poisoned file stays at the destination when the download fails',
    sha256,
    after(said(true), said(false)),
    failed('ECONNREFUSED'),
    {
      do: 'done',
      outcome: 'refused',
    },
  ),
  row(
    'a directory at the destination swallows the file: mv',
    sha256,
    after(said(false), worked),
    said(true),
    {
      do: 'move',
      from: predictable,
      to: destination,
    },
  ),
  row('a half file is promoted when no digest is set', '', after(said(false)), worked, {
    do: 'move',
    from: predictable,
    to: destination,
  }),
  row(
    'forkd boots the path: verify-then-use window',
    sha256,
    null,
    { kind: 'begin', phase: 'open', suffix: '' },
    { do: 'boot', from: 'path' },
  ),
];
