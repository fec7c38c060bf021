/** kernel-digest step by step: digests refused by name, and no event that makes it go on where it should end. */
import { describe, expect, test } from 'vitest';
import { digestFault, type StagingEvent, type StagingState, stepKernel } from './kernel-digest.ts';

const sha256 = 'ab'.repeat(32);
const policy = { sha256, allowUnverified: false, destination: '/d/vmlinux' };
const worked: StagingEvent = { kind: 'result', error: null };

/** The actions that a run takes when each gets this result, until it is done. */
function run(own: typeof policy, phase: 'stage' | 'open', results: readonly StagingEvent[]): string[] {
  let step = stepKernel(own, null, { kind: 'begin', phase, suffix: 'x' });
  const actions = [JSON.stringify(step.action)];
  for (const result of results) {
    step = stepKernel(own, JSON.parse(JSON.stringify(step.state)) as StagingState, result);
    actions.push(
      step.action.do === 'done' ? `${step.action.outcome}: ${step.rule}` : JSON.stringify(step.action),
    );
  }
  return actions;
}

describe('a digest', () => {
  test.each([
    [sha256, null],
    [sha256.toUpperCase(), null],
    ['', 'digest has 0 digits instead of 64'],
    [sha256.slice(1), 'digest has 63 digits instead of 64'],
    [`${sha256}0`, 'digest has 65 digits instead of 64'],
    [`${sha256}\n`, 'digest holds a line break'],
    [`${sha256} `, 'digest holds white space'],
    [`sha256:${sha256}`, 'digest holds a character that is no hex digit'],
  ])('%j is always judged by its fault: %s', (text, fault) => {
    expect(digestFault(text)).toBe(fault);
  });
});

describe('opening', () => {
  const copied = (digest: string, complete = true): StagingEvent => ({
    kind: 'result',
    error: null,
    digest,
    complete,
  });

  test('always boots the memfd that was hashed and sealed', () => {
    const actions = run(policy, 'open', [worked, copied(sha256), worked, worked]);
    expect(actions.slice(1)).toEqual([
      '{"do":"copy-and-hash","from":"file"}',
      '{"do":"seal"}',
      '{"do":"boot","from":"memfd"}',
      'booted: booted what was hashed',
    ]);
  });

  test.each([
    ['another digest', [worked, copied('cd'.repeat(32))], 'refused: file has another digest'],
    ['a copy that was cut off', [worked, copied(sha256, false)], 'refused: file is incomplete: cut off'],
    ['a symbolic link', [{ kind: 'result', error: 'ELOOP' }], 'refused: destination: ELOOP'],
    ['no file', [{ kind: 'result', error: 'ENOENT' }], 'refused: destination: ENOENT'],
    [
      'a seal that fails',
      [worked, copied(sha256), { kind: 'result', error: 'EPERM' }],
      'refused: seal: EPERM',
    ],
  ] as const)('refuses %s', (_, results, end) => {
    expect(run(policy, 'open', results).at(-1)).toBe(end);
  });
});

describe('staging', () => {
  test('never touches the destination while another stager holds the lock', () => {
    const busy: StagingEvent = { kind: 'result', error: 'EAGAIN' };
    expect(run(policy, 'stage', [busy]).at(-1)).toBe('refused: another stager is at work');
  });

  test('refuses an unset digest, and leaves nothing at the destination', () => {
    const actions = run({ ...policy, sha256: '' }, 'stage', [worked, worked, worked]);
    expect(actions.slice(2)).toEqual([
      '{"do":"unlink","path":"/d/vmlinux"}',
      'refused: no digest is set, and allowUnverified is not true',
    ]);
  });

  test('refuses a result that nobody asked for', () => {
    expect(stepKernel(policy, null, worked).action).toEqual({ do: 'done', outcome: 'refused' });
  });
});
