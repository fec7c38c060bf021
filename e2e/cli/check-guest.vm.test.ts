/**
 * `pnpm check guest` on microVMs of this machine, as docs/check-guest.md tells it: a guest that knows nothing of
 * huskproof, saved and restored by its user's own QEMU; forks of the lab; what is refused before a fork begins.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { unpacked } from '#kvm-lab/artifacts/debian-package.ts';
import { readLock } from '#kvm-lab/artifacts/lock.ts';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { runningLab } from '#kvm-lab/providers/microvm/lab.ts';
import { exitCodes } from './exit-codes.ts';
import { firecrackerSocket, LabForksProcess, qemusBelow } from './lab-forks-process.ts';
import { cli, runCli } from './run-cli.ts';

interface Report {
  readonly forks: number;
  readonly left: readonly string[];
  readonly claims: readonly {
    readonly claim: string;
    readonly outcome: string;
    readonly parts: readonly {
      readonly id: string;
      readonly outcome: string;
      readonly observed: string;
      readonly hex?: string;
    }[];
  }[];
}

const recipe = fileURLToPath(new URL('../../docs/recipes/qemu-forks.sh', import.meta.url));
const deadlineMs = 300_000;
/** Guests beside others are slow, and honest. */
const patient = ['--timeout', '60000', '--wait', '120'];
/** Then the kernel reseeds at the next draw, and not again for half as long as it is up (drivers/char/random.c). */
const idleSeconds = 31;

let folder = '';
const servers: Server[] = [];
beforeAll(() => {
  folder = makeLabFolder('check');
});
afterAll(() => {
  for (const server of servers) server.close();
  if (folder !== '') removeLabFolder(folder);
});

async function check(...words: readonly string[]): Promise<{ code: number | null; report: Report }> {
  const { code, stdout, stderr } = await runCli(['check', 'guest', ...words, ...patient, '--json'], {
    deadlineMs,
  });
  if (stdout === '') throw new Error(`no report: ${stderr}`);
  return { code, report: JSON.parse(stdout) as Report };
}

const outcomes = ({ claims }: Report) =>
  Object.fromEntries(claims.map(({ claim, outcome }) => [claim, outcome]));
const partOf = ({ claims }: Report, id: string) =>
  claims.flatMap(({ parts }) => parts).find((part) => part.id === id);

test('a guest without any agent, saved and restored by the recipe, is found not to diverge, with the octets', async () => {
  const forks = `${folder}/forks`;
  const { accelerator } = await probeAccelerator();
  const env = {
    ...{ ...process.env, FORKS: forks, IDLE: String(idleSeconds), ACCEL: accelerator },
    CPU: accelerator === 'kvm' ? 'host' : 'max',
  };
  const run = (...words: string[]) => promisify(execFile)(recipe, words, { env, timeout: deadlineMs });
  const busybox = readLock().packages.find((one) => one.package === 'busybox-static');
  if (busybox === undefined) throw new Error('no busybox is pinned');
  const { kernel } = await guestArtifacts();
  await run('initrd', `${await unpacked(busybox, () => undefined)}/bin/busybox`);
  await run('save', kernel, `${forks}/initrd`);

  Object.assign(process.env, env);
  const words = [
    '--fork',
    `${recipe} fork {n}`,
    '--end',
    `${recipe} end {n}`,
    '--read',
    `${recipe} read {n}`,
  ];
  const { code, report } = await check(...words, '--claim', 'F6.diverged');
  expect(code).toBe(exitCodes.differs);
  const part = partOf(report, 'siblings/read');
  expect(part).toMatchObject({
    outcome: 'falsified',
    observed: '32 random octets are the same: fork 1, read 1, octet 0; fork 2, read 1, octet 0',
  });
  expect(part?.hex).toMatch(/^[0-9a-f]{64}$/);
  // What was drawn before the snapshot is none of it: the forks go on from there.
  const before = readFileSync(`${forks}/drawn-before`, 'utf8').replaceAll(/\s/g, '');
  expect(before).toMatch(/^[0-9a-f]{64}$/);
  expect(part?.hex).not.toBe(before);
  expect(report).toMatchObject({ forks: 2, left: [] });
  expect(qemusBelow(process.pid)).toEqual([]);
  expect(readdirSync(forks).sort()).toEqual(['boot.log', 'drawn-before', 'initrd', 'state']);

  // Its window is shown to be there, and not made by the check: a dry run starts nothing.
  const dry = await runCli(['check', 'guest', ...words, '--claim', 'F6.diverged', '--dry-run']);
  expect(dry.code).toBe(exitCodes.asDeclared);
  expect(dry.stdout).toContain(`$ ${recipe} read {n}`);
  expect(readdirSync(forks).sort()).toEqual(['boot.log', 'drawn-before', 'initrd', 'state']);
}, 600_000);

test('programs in forks that the gate admitted diverge, each run of lab shell a fork', async () => {
  expect(runningLab(), 'a lab is up: pnpm lab down').toBeNull();
  try {
    expect(await runCli(['lab', 'up'], { deadlineMs })).toMatchObject({ code: exitCodes.asDeclared });
    const shell = `${process.execPath} ${cli} lab shell -- head -c 64 /dev/urandom`;
    const { code, report } = await check('--read', shell, '--claim', 'F6.diverged');
    expect(partOf(report, 'siblings/read')?.observed).toContain('nothing is in two of 2 forks, 32 octets');
    expect(code).toBe(exitCodes.asDeclared);
    // The same octets each time, and the check would see it.
    const stuck = `${process.execPath} ${cli} lab shell -- sh -c 'i=0; while [ $i -lt 64 ]; do echo $((i * 2654435761 % 256)); i=$((i+1)); done'`;
    const same = await check('--read', stuck, '--claim', 'F6.diverged');
    expect(partOf(same.report, 'siblings/read')).toMatchObject({ outcome: 'falsified' });
    expect(same.code).toBe(exitCodes.differs);
  } finally {
    expect(await runCli(['lab', 'down'])).toMatchObject({ code: exitCodes.asDeclared, stdout: 'down\n' });
  }
}, 600_000);

describe('pnpm lab forks', () => {
  const held = ['F6.diverged', 'F6.reported', 'F6.witness', 'F6.single-use', 'F6.order'];

  test('of the reference hold all that agents are asked, on unix sockets and behind Firecracker’s greeting', async () => {
    const place = `${folder}/r`;
    const forks = await LabForksProcess.start(['--folder', place, '--count', '24']);
    try {
      const refused = await runCli(['check', 'guest', '--agent', 'vsock:3', 'vsock:4']);
      expect(refused).toMatchObject({ code: exitCodes.usage, stdout: '' });
      expect(refused.stderr).toContain('[not-your-target]');
      const dry = await runCli([...forks.check, '--dry-run']);
      expect(dry).toMatchObject({ code: exitCodes.asDeclared });
      expect(dry.stdout).toContain('"method":"notify_forked"');
      expect(forks.begun).toBe(0);

      const [, , ...typed] = forks.check;
      const found = await check(...typed, '--claim', ...held);
      expect(outcomes(found.report)).toEqual(Object.fromEntries(held.map((claim) => [claim, 'holds'])));
      expect(found.code).toBe(exitCodes.asDeclared);
      expect(forks.begun).toBe(found.report.forks);

      for (const n of [1, 2]) {
        const channel = (name: string) => `${place}/${n + 20}.${name}`;
        const channels = { control: channel('control'), services: channel('services') };
        servers.push(await firecrackerSocket(`${place}/fc-${n}`, channels));
      }
      const fc = `fc:${place}/fc-{n}`;
      const behind = await check(
        '--agent',
        fc,
        '--services',
        fc,
        '--forks',
        '2',
        '--claim',
        'F6.diverged',
        'F6.reported',
      );
      expect(outcomes(behind.report)).toEqual({ 'F6.diverged': 'holds', 'F6.reported': 'holds' });
      expect(behind.code).toBe(exitCodes.asDeclared);
      expect(forks.begun).toBe(found.report.forks + 2);
    } finally {
      for (const server of servers.splice(0)) server.close();
      expect(await forks.end()).toEqual({ code: exitCodes.asDeclared, left: [] });
    }
    expect(readdirSync(place)).toEqual([]);
  }, 600_000);

  test('of the published agent report success, and draw the same octets', async () => {
    const place = `${folder}/p`;
    const forks = await LabForksProcess.start(['--folder', place, '--guest', 'published', '--count', '2']);
    try {
      const [, , ...typed] = forks.check;
      const { code, report } = await check(...typed, '--claim', 'F6.diverged', 'F6.reported');
      expect(outcomes(report)).toEqual({ 'F6.diverged': 'falsified', 'F6.reported': 'falsified' });
      expect(partOf(report, 'siblings/reported')).toMatchObject({
        observed: 'both report that they reseeded, and draw the same 64 octets',
      });
      expect(code).toBe(exitCodes.differs);
    } finally {
      expect(await forks.end()).toEqual({ code: exitCodes.asDeclared, left: [] });
    }
  }, 600_000);

  test('is refused, before a guest is booted, where no socket can stand', async () => {
    const long = await runCli(['lab', 'forks', '--folder', `${folder}/${'x'.repeat(100)}`]);
    expect(long).toMatchObject({ code: exitCodes.usage, stdout: '' });
    expect(long.stderr).toMatch(/a socket in it has a path of \d+ octets, and may have 107/);
    const file = await runCli(['lab', 'forks', '--folder', recipe]);
    expect(file).toMatchObject({ code: exitCodes.usage, stdout: '' });
    expect(file.stderr).toContain('is no place for sockets: EEXIST');
  });
});

test('a vsock address where nobody is was not judged, and what to do is said', async () => {
  const agents = ['vsock:4294967290', 'vsock:4294967291'];
  const { code, report } = await check('--agent', ...agents, '--claim', 'F6.witness', '--i-own-this-target');
  expect(code).toBe(exitCodes.incomplete);
  expect(partOf(report, 'answer/told')).toMatchObject({
    outcome: 'not-run',
    observed: expect.stringMatching(/^vsock:4294967290:1024: .+/),
  });
});
