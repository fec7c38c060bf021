/** A program that forks as fast as it can, at each moment at which the agent is in its cgroup and has left it. */
import { beforeEach, expect, test, vi } from 'vitest';
import { ProgramGroups } from './program-groups.ts';

const agentThreads = 11;
const wanted = 8;

/** The files of one cgroup that a program of eight processes and the agent may be in. */
const cgroup = vi.hoisted(() => ({
  most: Number.POSITIVE_INFINITY,
  agent: 0,
  program: 0,

  killed: false,
}));

/** The program forks until it has all, or no more is let. */
function forks(): void {
  while (!cgroup.killed && cgroup.program > 0 && cgroup.program < wanted) {
    if (cgroup.agent + cgroup.program >= cgroup.most) return;
    cgroup.program += 1;
  }
}

vi.mock('node:fs', () => ({
  mkdirSync: () => undefined,
  readdirSync: () => [],
  rmdirSync: () => undefined,
  readFileSync: (path: string) =>
    path.endsWith('pids.current') ? `${cgroup.agent + cgroup.program}\n` : 'populated 0\n',
  writeFileSync: (path: string, text: string) => {
    forks();
    if (path === '/w/program-1/cgroup.procs') cgroup.agent = agentThreads;
    if (path === '/home/cgroup.procs') cgroup.agent = 0;
    if (path.endsWith('pids.max')) cgroup.most = Number(text);
    if (path.endsWith('cgroup.kill')) Object.assign(cgroup, { killed: true, program: 0 });
    forks();
  },
}));

beforeEach(() => {
  Object.assign(cgroup, { most: Number.POSITIVE_INFINITY, agent: 0, program: 0, killed: false });
});

const start = () => {
  cgroup.program = 1;
  forks();
};

test('has no more processes than it may, or is killed', () => {
  new ProgramGroups('/home', '/w').open({ processes: 4 }).startInside(start);
  expect(cgroup.killed || cgroup.program <= 4).toBe(true);
});

test('is let all that it may have while the agent is in there, too', () => {
  new ProgramGroups('/home', '/w').open({ processes: wanted }).startInside(start);
  expect(cgroup).toMatchObject({ program: wanted, killed: false });
});

test('without a bound of its own has what it wants: the control', () => {
  new ProgramGroups('/home', '/w').open({}).startInside(start);
  expect(cgroup).toMatchObject({ program: wanted, killed: false });
});
