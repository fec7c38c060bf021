/** forkd and sandbox-server as processes: they start, serve, drain, are killed, start again, and refuse what is bad. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCheckedLines } from '#reference/base/checked-lines.ts';
import { openLog } from '#reference/base/log.ts';
import type { TemplateSpec } from '#reference/contract/fork-engine-port.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import { Activation } from '#reference/fork-engine/activation.ts';
import { ServiceChannel } from '#reference/fork-engine/service-channel.ts';
import { takeTemplate } from '#reference/husk/node-templates.ts';
import { NodeWitnesses } from '#reference/husk/node-witnesses.ts';
import { SandboxClient } from '#reference/sandbox-server/sandbox-client.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { makeLabFolder, removeLabFolder } from '../leftovers/lab-folder.ts';
import { probeAccelerator } from '../providers/microvm/accelerator.ts';
import { labTemplate } from './lab-engine.ts';
import { endAll, MainProcess } from './main-process.ts';

const patience = { timeout: 900_000 };
const goneMs = 20_000;
const identity = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const nobody = 65_534;

let folder: string;
let accelerator: Accelerator;
let spec: TemplateSpec;
beforeAll(async () => {
  // The namespace that the runner made has nothing up.
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  folder = makeLabFolder('mains');
  ({ accelerator } = await probeAccelerator());
  spec = { ...(await labTemplate()), init: [] };
  writeFileSync(`${folder}/templates.json`, JSON.stringify([{ spec, ready: 1 }]));
}, 300_000);
afterAll(async () => {
  await endAll();
  removeLabFolder(folder);
});

const state = () => `${folder}/state`;
const common = () => [
  '--folder',
  state(),
  '--accelerator',
  accelerator,
  '--network',
  'none',
  '--log-level',
  'warn',
];
/** Machines under load answer late: that is no fault. */
const patient = ['--boot-seconds', '600', '--gate-seconds', '120'];

const forkd = () =>
  new MainProcess('forkd', [
    ...common(),
    ...patient,
    ...['--templates', `${folder}/templates.json`, '--node-socket', `${folder}/node.sock`],
    ...['--husk', `${identity.uid}:${identity.gid}`],
  ]);

const serverFlags = (more: readonly string[] = []) => [
  ...['--kernel', spec.kernel.path, '--kernel-sha256', spec.kernel.sha256],
  ...['--initrd', spec.initrd.path, '--initrd-sha256', spec.initrd.sha256],
  ...['--command-line', spec.commandLine, '--port', '0', ...more],
];

/** Entries of the journal that were begun and not ended. */
function openEntries(): string[] {
  const open = new Set<string>();
  const lines = readCheckedLines(readFileSync(`${state()}/journal`))?.values ?? [];
  for (const { begin, end } of lines as { begin?: string; end?: string }[]) {
    if (begin !== undefined) open.add(begin);
    if (end !== undefined) open.delete(end);
  }
  return [...open];
}

/** What no run may leave behind in the folder. */
const leftInFolder = () => [
  ...openEntries(),
  ...readdirSync(`${state()}/templates`).filter((name) => name.startsWith('.')),
  ...readdirSync(folder).filter((name) => name === 'node.sock'),
  ...['server.json', 'token'].filter((name) => existsSync(`${state()}/${name}`)),
];

/** A fork in this process of what forkd hands over, through the gate, with one program run in it. */
async function forkByNodeSocket(snapshot: string): Promise<string> {
  const address = { path: `${folder}/node.sock`, uid: identity.uid };
  const vmm = await openQemu(accelerator);
  const witnesses = new NodeWitnesses(address, { deadlineMs: 60_000 });
  try {
    const order = { vmm, digest: snapshot, deadlineMs: 120_000 } as const;
    const taken = await takeTemplate(address, order);
    const vm = await (await vmm.prepare(taken, { tapFd: null })).resume();
    const activation = new Activation(witnesses, openLog('husk', 'warn'), {
      ...{ deadlineMs: 60_000, requireWitness: true },
    });
    const { generatorAtSnapshot, generatorAddress } = taken.manifest;
    await activation.activate({
      vm,
      source: {
        digest: snapshot,
        generatorAtSnapshot,
        readsGenerator: generatorAddress !== null,
        generation: 0,
      },
      reap: () => vm.stop(),
    });
    const services = new ServiceChannel(vm.channel('services'));
    let said = '';
    const request = {
      argv: ['/bin/cat', '/proc/sys/kernel/random/uuid'],
      timeout_ms: 60_000,
      max_output_octets: 99,
    };
    await services.exec(request, (_stream, octets) => {
      said += octets.toString();
    }).ended;
    await activation.end(vm.id);
    taken.close();
    return said.trim();
  } finally {
    await witnesses.close();
    await vmm.close();
  }
}

describe('forkd', () => {
  test(
    'builds, keeps ready, hands templates to husks, drains at SIGTERM; killed, it starts again; nothing is left',
    patience,
    async () => {
      const first = forkd();
      const { template } = (await first.hear('"template"')) as { template: { snapshot: string } };
      await first.hear('"ready":true');
      const read = [await forkByNodeSocket(template.snapshot), await forkByNodeSocket(template.snapshot)];
      expect(read).toEqual([
        expect.stringMatching(/^[0-9a-f-]{36}$/),
        expect.stringMatching(/^[0-9a-f-]{36}$/),
      ]);
      expect(read[0]).not.toBe(read[1]);
      const drained = await first.end('SIGTERM');
      expect({ code: drained.code, signal: drained.signal }).toEqual({ code: 0, signal: null });
      expect(drained.below.length).toBeGreaterThan(0);
      expect(drained.left()).toEqual([]);
      expect(leftInFolder()).toEqual([]);

      const second = forkd();
      await second.hear('"ready":true');
      const killed = await second.end('SIGKILL');
      expect(killed.signal).toBe('SIGKILL');
      expect(killed.below.length).toBeGreaterThan(0);
      await expect.poll(killed.left, { timeout: goneMs }).toEqual([]);

      const third = forkd();
      expect(await third.hear('"template"')).toMatchObject({ template: { snapshot: template.snapshot } });
      await third.hear('"ready":true');
      expect((await third.end('SIGTERM')).code).toBe(0);
      expect(leftInFolder()).toEqual([]);
    },
  );
});

describe('sandbox-server', () => {
  const serve = async () => {
    const server = new MainProcess('sandbox-server', [...common(), ...serverFlags(patient)]);
    const { url, tokenFile } = (await server.hear('"url"')) as { url: string; tokenFile: string };
    return { server, client: new SandboxClient(url, readFileSync(tokenFile, 'utf8')), tokenFile };
  };

  test(
    'forks and runs through its client, drains at SIGTERM; killed, it starts again; nothing is left',
    patience,
    async () => {
      const { server, client, tokenFile } = await serve();
      expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
      const { id } = await client.buildTemplate({ memoryMiB: spec.memoryMiB, cpus: spec.cpus });
      const sandbox = await client.fork({ template: id });
      const { stdout, end } = await client.run(sandbox.id, {
        argv: ['/bin/echo', 'from within'],
        timeoutMs: 60_000,
      });
      expect([stdout.toString(), end.exit_code]).toEqual(['from within\n', 0]);
      const drained = await server.end('SIGTERM');
      expect({ code: drained.code, signal: drained.signal }).toEqual({ code: 0, signal: null });
      expect(drained.below.length).toBeGreaterThan(0);
      expect(drained.left()).toEqual([]);
      expect(leftInFolder()).toEqual([]);

      const again = await serve();
      await again.client.fork({ template: id });
      const killed = await again.server.end('SIGKILL');
      expect(killed.below.length).toBeGreaterThan(0);
      await expect.poll(killed.left, { timeout: goneMs }).toEqual([]);

      const third = await serve();
      expect(await third.client.sandboxes()).toEqual([]);
      expect((await third.server.end('SIGTERM')).code).toBe(0);
      expect(leftInFolder()).toEqual([]);
    },
  );
});

/** Two lines, the second with the code; never a stack. */
const refused = async (running: MainProcess, code: string, what: RegExp) => {
  const { code: exit, errors } = await running.ended;
  expect(errors).toMatch(what);
  expect(errors.trim().split('\n')).toHaveLength(2);
  expect(errors).toContain(`[${code}]`);
  expect(exit).toBe(2);
  expect(running.lines).toEqual([]);
};

describe('a process that is started wrongly', () => {
  test('refuses flags and files that are none, by name', patience, async () => {
    const list = `${folder}/bad.json`;
    writeFileSync(list, JSON.stringify([{ spec: { ...spec, memoryMiB: 'much' }, ready: 1 }]));
    const cases: [name: 'forkd' | 'sandbox-server', flags: string[], what: RegExp][] = [
      ['forkd', [], /--folder is missing/],
      ['forkd', [...common(), '--templates', `${folder}/none.json`], /none\.json: it cannot be read/],
      ['forkd', [...common(), '--templates', list], /bad\.json: \/0\/spec\/memoryMiB: must be integer/],
      ['forkd', [...common(), '--husk', '0:0'], /--husk without --node-socket/],
      ['forkd', [...common(), '--node-socket', `${folder}/node.sock`, '--husk', 'root'], /--husk root: /],
      ['forkd', [...common(), '--unknown'], /--unknown/],
      ['sandbox-server', [...common(), ...serverFlags(['--kernel-sha256', 'abc'])], /--kernel-sha256 abc: /],
      ['sandbox-server', [...common(), ...serverFlags(['--port', '70000'])], /--port 70000: /],
    ];
    for (const [name, flags, what] of cases) await refused(new MainProcess(name, flags), 'bad-flag', what);
  });

  test(
    'refuses a folder that another engine works in, that is another user’s, or a link',
    patience,
    async () => {
      const quiet = (path: string) => [
        '--folder',
        path,
        '--accelerator',
        accelerator,
        '--network',
        'none',
        '--log-level',
        'warn',
      ];
      const holder = new MainProcess('forkd', quiet(`${folder}/held`));
      await holder.hear('"ready":true');
      await refused(new MainProcess('forkd', quiet(`${folder}/held`)), 'forkd-taken', /another engine works/);
      expect((await holder.end('SIGTERM')).code).toBe(0);
      mkdirSync(`${folder}/foreign`, { mode: 0o777 });
      if (identity.uid === 0) {
        chownSync(`${folder}/foreign`, nobody, nobody);
        await refused(
          new MainProcess('forkd', quiet(`${folder}/foreign`)),
          'bad-folder',
          /belongs to uid 65534/,
        );
      }
      chmodSync(folder, 0o755);
      writeFileSync(`${folder}/file`, '');
      await refused(
        new MainProcess('forkd', quiet(`${folder}/file/state`)),
        'bad-folder',
        /it cannot be made/,
      );
    },
  );

  test(
    'refuses a port and a socket that are taken, and leaves nothing of what it had begun',
    patience,
    async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port } = other.address() as { port: number };
      const taken = [...common(), ...serverFlags(['--port', String(port)])];
      await refused(
        new MainProcess('sandbox-server', taken),
        'address-taken',
        /listens on 127\.0\.0\.1 port/,
      );
      other.close();
      expect(leftInFolder()).toEqual([]);
      writeFileSync(`${folder}/node.sock`, 'a file');
      await refused(forkd(), 'node-socket-taken', /something else is there/);
      expect(readFileSync(`${folder}/node.sock`, 'utf8')).toBe('a file');
    },
  );
});
