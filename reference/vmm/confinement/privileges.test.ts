/** What a VMM is started without, by what this process has to give. */
import { expect, test } from 'vitest';
import { SyscallError } from '#reference/base/syscalls.ts';
import { landlockVersion } from './landlock.ts';
import { deviceAccess, Privileges } from './privileges.ts';
import { deniedCalls } from './seccomp.ts';

const all = (1n << 41n) - 1n;
const everyUid = '         0          0 4294967295\n';
const oneUid = '         0       1000          1\n';

test('whoever may gives each VMM a uid of its own, and never one twice at a time', () => {
  const root = new Privileges(all, [everyUid, everyUid]);
  const uids = Array.from({ length: 4_336 }, () => root.takeUid());
  expect(new Set(uids).size).toBe(4_336);
  expect(uids.every((uid) => uid !== null && uid >= 61_184 && uid < 65_520)).toBe(true);
  expect(root.takeUid()).toBeNull();
  root.giveBackUid(uids[7] ?? null);
  expect(root.takeUid()).toBe(uids[7]);
});

test('nobody gives a uid that he may not, or that his namespace does not have', () => {
  expect(new Privileges(0n, [everyUid, everyUid]).takeUid()).toBeNull();
  expect(new Privileges(all, [oneUid, oneUid]).takeUid()).toBeNull();
  expect(new Privileges(all, [everyUid, oneUid]).takeUid()).toBeNull();
});

test('a VMM has no capability, cannot get one, and dies with its parent', () => {
  const words = new Privileges(all, [everyUid, everyUid]).drop(61_200);
  expect(words).toEqual(
    expect.arrayContaining(['--reuid=61200', '--regid=61200', '--clear-groups', '--bounding-set=-all']),
  );
  for (const privileges of [all, 0n, 1n << 12n]) {
    const always = new Privileges(privileges, [oneUid, oneUid]).drop(null);
    expect(always).toEqual(
      expect.arrayContaining([
        '--inh-caps=-all',
        '--ambient-caps=-all',
        '--no-new-privs',
        '--pdeathsig=KILL',
      ]),
    );
    expect(always.join(' ')).not.toContain('reuid');
  }
});

test('a kernel without Landlock is told, and on no other machine is a filter guessed', () => {
  const without = () => {
    throw new SyscallError('landlock_create_ruleset', 38);
  };
  expect(() => landlockVersion(without)).toThrow(expect.objectContaining({ code: 'no-landlock' }));
  expect(() => deniedCalls(false, 'riscv64')).toThrow(
    expect.objectContaining({ code: 'unsupported-machine' }),
  );
  expect(deniedCalls(true, 'arm64').length).toBe(deniedCalls(true, 'x64').length);
});

test('a device is opened with the least that its mode asks for, and never with root’s group', () => {
  expect(deviceAccess({ mode: 0o20666, gid: 108 })).toEqual({ byOthers: true, groups: [] });
  expect(deviceAccess({ mode: 0o20660, gid: 108 })).toEqual({ byOthers: true, groups: [108] });
  expect(deviceAccess({ mode: 0o20660, gid: 0 })).toEqual({ byOthers: false, groups: [] });
  expect(deviceAccess({ mode: 0o20600, gid: 0 })).toEqual({ byOthers: false, groups: [] });
  const words = new Privileges(all, [everyUid, everyUid]).drop(61_200, [108]);
  expect(words).toContain('--groups=108');
  expect(words).not.toContain('--clear-groups');
});
