/**
 * kernel-digest: a step decision. How a guest kernel gets from a URL to the destination (stage) and from
 * there into a VM (open): one system call at a time, each result handed back, so that every subject runs
 * against the same files.
 */
import Type, { type TProperties } from 'typebox';
import { defineDecision } from './decision.ts';

const path = Type.String({ maxLength: 4096 });
const errno = Type.Union([Type.Null(), Type.String({ description: "errno's name; null: success" })]);
const digest = Type.String({ description: 'SHA-256 of the octets that were read, lower-case hex' });
const act = <N extends string, P extends TProperties>(name: N, fields: P, description: string) =>
  Type.Object({ do: Type.Literal(name), ...fields }, { description });

export const stagingAction = Type.Union([
  act('lock', {}, 'an exclusive lock on the destination folder, released when the process ends'),
  act('sweep', {}, 'unlinks temporary files that an earlier run left'),
  act('is-file', { path }, '[ -f path ]: follows symlinks'),
  act('open', { path }, 'O_RDONLY | O_NOFOLLOW | O_NONBLOCK: a regular file, or an errno'),
  act(
    'copy-and-hash',
    { from: Type.Union([Type.Literal('file'), Type.Literal('url')]) },
    'the octets into a new memfd, hashed while they are copied',
  ),
  act('seal', {}, 'F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL on the memfd'),
  act('create', { path }, 'O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY'),
  act('write', {}, 'the memfd into the file that was created, and fsync'),
  act('fetch', { path }, 'the URL into a file opened by path: follows links, truncates'),
  act('check-line', { line: Type.String() }, 'sha256sum -c on these lines'),
  act('rename', { from: path, to: path }, 'rename(2): a directory in the way is an error'),
  act('move', { from: path, to: path }, 'mv: a directory in the way takes the file in'),
  act('unlink', { path }, 'unlink(2)'),
  act(
    'boot',
    { from: Type.Union([Type.Literal('memfd'), Type.Literal('path')]) },
    'the kernel that the VM gets',
  ),
  act(
    'done',
    { outcome: Type.Union([Type.Literal('staged'), Type.Literal('booted'), Type.Literal('refused')]) },
    'the end',
  ),
]);

export const stagingEvent = Type.Union([
  Type.Object({
    kind: Type.Literal('begin'),
    phase: Type.Union([Type.Literal('stage'), Type.Literal('open')]),
    suffix: Type.String({
      description: 'random, drawn by the caller: the name of a temporary file',
      maxLength: 64,
    }),
  }),
  Type.Object(
    {
      kind: Type.Literal('result'),
      error: errno,
      yes: Type.Optional(Type.Boolean({ description: 'of is-file and check-line' })),
      digest: Type.Optional(digest),
      complete: Type.Optional(Type.Boolean({ description: 'of copy-and-hash: nothing was cut off' })),
    },
    { description: 'of the action before' },
  ),
]);

export const kernelDigest = defineDecision({
  name: 'kernel-digest',
  summary: 'How a guest kernel is staged and opened: the next system call, or the end.',
  config: Type.Object(
    {
      sha256: Type.String({
        description: 'kernelProvisioner.kernelSha256 as the operator typed it; empty: unset',
        maxLength: 4096,
      }),
      allowUnverified: Type.Boolean(),
      destination: path,
    },
    { additionalProperties: false },
  ),
  input: Type.Object({ state: Type.Unknown(), event: stagingEvent }, { additionalProperties: false }),
  output: Type.Object({ state: Type.Unknown(), action: stagingAction, rule: Type.String() }),
  equality: ['action'],
  example: {
    config: { sha256: 'ab'.repeat(32), allowUnverified: false, destination: '/var/lib/mitos/vmlinux' },
    input: { state: null, event: { kind: 'begin' as const, phase: 'open' as const, suffix: '7f3a' } },
  },
});
