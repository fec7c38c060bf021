/** kernel-digest rule by rule: every path from lock or open to its end, each step with what it does and why. */
import { describe, expect, test } from 'vitest';
import {
  type KernelPolicy,
  type StagingEvent,
  type StagingState,
  type StagingStep,
  stepKernel,
} from './kernel-digest.ts';

const sha256 = 'ab'.repeat(32);
const policy: KernelPolicy = { sha256, allowUnverified: false, destination: '/d/vmlinux' };
const temporary = '/d/vmlinux.stage-x';
const worked: StagingEvent = { kind: 'result', error: null };
const failed = (error: string): StagingEvent => ({ kind: 'result', error });
const copied = (digest: string, complete = true): StagingEvent => ({
  kind: 'result',
  error: null,
  digest,
  complete,
});
const matching = copied(sha256);
const poisoned = copied('cd'.repeat(32));

/** The action in words, without what follows from its kind. */
function words({ action, rule }: StagingStep): string {
  const { do: verb, ...rest } = action;
  return `${[verb, ...Object.values(rest)].join(' ')}: ${rule}`;
}

function run(phase: 'stage' | 'open', results: readonly StagingEvent[], own = policy): string[] {
  let step = stepKernel(own, null, { kind: 'begin', phase, suffix: 'x' });
  const said = [words(step)];
  for (const result of results) {
    step = stepKernel(own, JSON.parse(JSON.stringify(step.state)) as StagingState, result);
    said.push(words(step));
  }
  return said;
}

const lock = 'lock: one stager at a time';
const sweep = 'sweep: what a killed run left goes';
const open = 'open /d/vmlinux: never through a link';
const copyFile = 'copy-and-hash file: hashed while it is copied';
const copyUrl = 'copy-and-hash url: hashed while it is copied';
const seal = 'seal: digest matches';
const create = `create ${temporary}: a new file, never through a link`;
const write = 'write: from the sealed memfd';
const rename = `rename ${temporary} /d/vmlinux: publish at once`;
const remove = (rule: string) => `unlink /d/vmlinux: ${rule}`;
const removeTemporary = (rule: string) => `unlink ${temporary}: ${rule}`;
const refused = (rule: string) => `done refused: ${rule}`;

/** Up to the download, and up to the new file. */
const toDownload = [worked, worked, failed('ENOENT')];
const toCreate = [...toDownload, matching, worked];
const downloads = [lock, sweep, open, copyUrl];
const creates = [...downloads, seal, create];

const stagings: [string, StagingEvent[], string[]][] = [
  [
    'publishes what it downloaded',
    [...toCreate, worked, worked, worked],
    [...creates, write, rename, 'done staged: published what was hashed'],
  ],
  [
    'publishes again what stands there and matches',
    [worked, worked, worked, matching, worked, worked],
    [lock, sweep, open, copyFile, seal, create, write],
  ],
  ['ends while another one holds the lock', [failed('EAGAIN')], [lock, refused('another stager is at work')]],
  ['goes on when there was nothing to sweep', [worked, failed('ENOENT'), failed('ENOENT')], downloads],
  [
    'never takes a directory for a kernel',
    [worked, worked, failed('EISDIR')],
    [lock, sweep, open, refused('destination is a directory')],
  ],
  [
    'removes a link and downloads',
    [worked, worked, failed('ELOOP'), worked],
    [lock, sweep, open, remove('destination: ELOOP'), copyUrl],
  ],
  [
    'downloads when the link is gone already',
    [worked, worked, failed('ELOOP'), failed('ENOENT')],
    [lock, sweep, open, remove('destination: ELOOP'), copyUrl],
  ],
  [
    'refuses a link that will not go',
    [worked, worked, failed('ELOOP'), failed('EPERM'), worked],
    [lock, sweep, open, remove('destination: ELOOP'), remove('unlink: EPERM'), refused('unlink: EPERM')],
  ],
  [
    'removes a poisoned file and downloads',
    [worked, worked, worked, poisoned, worked, matching],
    [lock, sweep, open, copyFile, remove('file has another digest'), copyUrl, seal],
  ],
  [
    'removes half a file and downloads',
    [worked, worked, worked, copied(sha256, false), worked],
    [lock, sweep, open, copyFile, remove('file is incomplete: cut off'), copyUrl],
  ],
  [
    'removes a file that cannot be read and downloads',
    [worked, worked, worked, { ...matching, error: 'EIO' } as StagingEvent, worked],
    [lock, sweep, open, copyFile, remove('file is incomplete: EIO'), copyUrl],
  ],
  [
    'refuses a download of another digest',
    [...toDownload, poisoned, worked],
    [...downloads, remove('download has another digest'), refused('download has another digest')],
  ],
  [
    'refuses half a download',
    [...toDownload, copied(sha256, false), worked],
    [...downloads, remove('download is incomplete: cut off'), refused('download is incomplete: cut off')],
  ],
  [
    'refuses a download of unknown length',
    [...toDownload, { kind: 'result', error: null, digest: sha256 }, worked],
    [...downloads, remove('download is incomplete: cut off'), refused('download is incomplete: cut off')],
  ],
  [
    'refuses a seal that fails',
    [...toDownload, matching, failed('EPERM'), worked],
    [...downloads, seal, remove('seal: EPERM'), refused('seal: EPERM')],
  ],
  [
    'refuses where no file can be made',
    [...toCreate, failed('EEXIST'), worked],
    [...creates, remove('create: EEXIST'), refused('create: EEXIST')],
  ],
  [
    'removes the new file that could not be written, then what stands there',
    [...toCreate, worked, failed('ENOSPC'), worked, worked],
    [...creates, write, removeTemporary('write: ENOSPC'), remove('write: ENOSPC'), refused('write: ENOSPC')],
  ],
  [
    'removes the new file that could not be published, then what stands there',
    [...toCreate, worked, worked, failed('EXDEV'), worked, worked],
    [
      ...creates,
      write,
      rename,
      removeTemporary('rename: EXDEV'),
      remove('rename: EXDEV'),
      refused('rename: EXDEV'),
    ],
  ],
];

describe('staging', () => {
  test.each(stagings)('always %s', (_, results, said) => {
    expect(run('stage', results)).toEqual(said);
  });

  test.each<[string, Partial<KernelPolicy>]>([
    ['no digest is set, and allowUnverified is not true', { sha256: '' }],
    ['digest has 63 digits instead of 64', { sha256: sha256.slice(1) }],
    ['digest has 63 digits instead of 64', { sha256: sha256.slice(1), allowUnverified: true }],
  ])('never downloads under a policy at fault: %s', (rule, own) => {
    expect(run('stage', [worked, worked, worked], { ...policy, ...own })).toEqual([
      lock,
      sweep,
      remove(rule),
      refused(rule),
    ]);
    expect(run('open', [], { ...policy, ...own })).toEqual([refused(rule)]);
  });

  test('takes what has no digest only where that is allowed, and says so', () => {
    const own = { ...policy, sha256: '', allowUnverified: true };
    expect(run('stage', [...toDownload, poisoned], own).at(-1)).toBe('seal: unverified, as allowed');
    expect(run('stage', [...toDownload, copied('', false)], own).at(-1)).toBe(
      remove('download is incomplete: cut off'),
    );
  });

  test('takes a digest in either case', () => {
    const own = { ...policy, sha256: sha256.toUpperCase() };
    expect(run('stage', [...toDownload, matching], own).at(-1)).toBe(seal);
  });
});

describe('opening', () => {
  test.each<[string, StagingEvent[], string[]]>([
    [
      'boots what was hashed',
      [worked, matching, worked, worked],
      [open, copyFile, seal, 'boot memfd: what was hashed is booted', 'done booted: booted what was hashed'],
    ],
    [
      'refuses a boot that fails',
      [worked, matching, worked, failed('ENOEXEC')],
      [open, copyFile, seal, 'boot memfd: what was hashed is booted', refused('boot: ENOEXEC')],
    ],
    ['refuses a link', [failed('ELOOP')], [open, refused('destination: ELOOP')]],
    ['refuses an absent file', [failed('ENOENT')], [open, refused('destination: ENOENT')]],
    ['refuses a directory', [failed('EISDIR')], [open, refused('destination: EISDIR')]],
    ['refuses another digest', [worked, poisoned], [open, copyFile, refused('file has another digest')]],
    [
      'refuses a seal that fails',
      [worked, matching, failed('EPERM')],
      [open, copyFile, seal, refused('seal: EPERM')],
    ],
  ])('always %s, and removes nothing', (_, results, said) => {
    expect(run('open', results)).toEqual(said);
  });
});

describe('a result that nobody asked for', () => {
  test('never begins a run', () => {
    expect(words(stepKernel(policy, null, worked))).toBe(refused('no begin'));
    const { state } = stepKernel(policy, null, worked);
    expect(state).toEqual({
      phase: 'open',
      temporary: '',
      awaited: 'done',
      source: 'file',
      refusal: 'no begin',
    });
    expect(words(stepKernel(policy, state, worked))).toBe(refused('no begin'));
  });

  test('never changes the end of a run', () => {
    const done = run('open', [worked, matching, worked, worked, worked]);
    expect(done.at(-1)).toBe(refused('over'));
    const after = run('open', [worked, poisoned, matching]);
    expect(after.at(-1)).toBe(refused('file has another digest'));
  });

  test('is never taken for a removal’s reason that was lost', () => {
    const state: StagingState = {
      phase: 'stage',
      temporary,
      awaited: 'unlink-temporary',
      source: 'url',
      refusal: null,
    };
    expect(words(stepKernel(policy, state, worked))).toBe(remove('failed'));
  });
});
