/**
 * The agent on vsock ports of a real guest: a kernel without vhost_vsock has no end for the host, so the connection is
 * the guest's own (vsock_loopback), carried from and to the host by a relay in the guest. Template, snapshot, gate and
 * programs go over it; what a host's vsock transport does besides is not shown.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultKernel, guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { probeAccelerator } from '#kvm-lab/providers/microvm/accelerator.ts';
import { close } from '#reference/base/syscalls.ts';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import type { Accelerator, RunningVm, SealedFile, VmmPort } from '#reference/contract/vmm-port.ts';
import { factsOf, Talk, within } from '#reference/vmm/contract-talk.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';
import { labEngine, labTemplate, said } from './lab-engine.ts';

const patienceMs = 600_000;
const answerMs = 240_000;
const reset = 'reset\n';

let folder: string;
let accelerator: Accelerator;
let vmm: VmmPort;
const opened: SealedFile[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vsock-agent-'));
  accelerator = (await probeAccelerator()).accelerator;
  vmm = await openQemu(accelerator);
}, patienceMs);

afterAll(async () => {
  await vmm?.close();
  for (const { fd } of opened) close(fd);
  rmSync(folder, { recursive: true, force: true });
});

async function boot(image: 'vsock' | 'contract'): Promise<RunningVm> {
  const artifacts = await guestArtifacts(defaultKernel, image);
  const images: SealedFile[] = [];
  for (const [destination, sha256] of [
    [artifacts.kernel, artifacts.kernelSha256],
    [artifacts.initrd, artifacts.initrdSha256],
  ] as const) {
    images.push(await openVerified({ destination, sha256, allowUnverified: false }));
  }
  opened.push(...images);
  const [kernel, initrd] = images as [SealedFile, SealedFile];
  const commandLine = `${artifacts.commandLine} vsock=loopback`;
  const cpuModel = accelerator === 'kvm' ? 'host' : 'max';
  return vmm.boot({
    machine: { memoryMiB: 512, cpus: 1, cpuModel, guestMac: null, generationId: 'fresh' },
    ...{ kernel, initrd, commandLine, place: { tapFd: null } },
  });
}

test(
  'answers on vsock, hears nobody of its own guest on a port for the host, and begins anew with who connects anew',
  async () => {
    const vm = await boot('vsock');
    const stream = vm.channel('control');
    const lines = createInterface({ input: stream })[Symbol.asyncIterator]();
    const ask = async (text: string): Promise<Record<string, unknown>> => {
      stream.write(text);
      const { value } = await within(lines.next(), `an answer; the guest said ${vm.consoleTail()}`, answerMs);
      return JSON.parse(String(value)) as Record<string, unknown>;
    };
    const ping = '{"method":"ping"}\n';
    expect(await ask(ping)).toMatchObject({ ok: true, versions: [1] });
    // The attack beside its control: the same connection where anybody is let in.
    expect(vm.consoleTail()).toContain('a port for the host: closed; lines heard: 0');
    expect(vm.consoleTail()).toContain('a port for anybody here: {"heard":true}; lines heard: 1');
    expect(vm.consoleTail()).toContain('own CID: null');
    const tooLong = `{"method":"ping","more":"${'x'.repeat(maxLineOctets)}"}\n`;
    expect(await ask(tooLong)).toMatchObject({ ok: false });
    expect(await ask('no JSON\n')).toMatchObject({ ok: false });
    expect(await ask(ping)).toMatchObject({ ok: true });
    stream.write('{"method":"pi');
    // The relay looks at whole reads: what was half a line is with the agent before its connection ends.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    stream.write(reset);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(await ask(ping)).toMatchObject({ ok: true, phase: 'running' });
    await vm.stop();
  },
  patienceMs,
);

test(
  'a template is built, forked, judged by the gate with its witness, and runs programs, all over vsock',
  async () => {
    const { initrd, initrdSha256 } = await guestArtifacts(defaultKernel, 'vsock');
    const engine = await labEngine(join(folder, 'state'), accelerator);
    try {
      const template = await engine.buildTemplate({
        ...(await labTemplate()),
        initrd: { path: initrd, sha256: initrdSha256 },
      });
      expect(template.readsGenerator).toBe(true);
      const fork = () => engine.fork({ template: template.id, network: null, secrets: [] });
      const [one, other] = [await fork(), await fork()];
      const uuid = (id: string) => said(engine, id, '/bin/cat', '/proc/sys/kernel/random/uuid');
      const drawn = [await uuid(one.id), await uuid(other.id)];
      expect(drawn[0]).toMatch(/^[0-9a-f-]{36}$/);
      expect(new Set(drawn).size).toBe(2);
      expect(await said(engine, one.id, '/bin/cat', '/tmp/warm')).toBe('warm');
      const long = 'head -c 300000 /dev/zero | tr "\\0" x | wc -c; head -c 300000 /dev/zero | tr "\\0" y';
      const much = await said(engine, other.id, '/bin/sh', '-c', long);
      expect(much).toBe(`300000\n${'y'.repeat(300_000)}`);
    } finally {
      await engine.close();
    }
  },
  patienceMs,
);

test(
  'the guest that a real Firecracker is held to the contract with speaks it: over vsock, before and after a restore',
  async () => {
    const template = await boot('contract');
    const talk = new Talk(template);
    expect(await talk.ask('ping')).toBe('pong');
    expect(await talk.ask('one', 'services')).toBe('services one');
    expect(await talk.ask('print here I am')).toBe('ok');
    await expect.poll(() => template.consoleTail()).toContain('here I am');
    await talk.ask('remember template');
    const snapshot = await template.save(await factsOf(talk));
    const vm = await (await vmm.prepare(snapshot, { tapFd: null })).resume();
    const fork = new Talk(vm);
    expect(await fork.ask('recall')).toBe('template');
    const before = await vm.generator();
    expect(before).toEqual(snapshot.manifest.generatorAtSnapshot);
    expect(await fork.ask('reseed')).toBe('ok');
    expect((await vm.generator())?.keySha256).not.toBe(before?.keySha256);
    vm.channel('control').write('die\n');
    expect(await within(vm.ended, 'its end', answerMs)).toMatchObject({ kind: 'exited' });
    await vm.stop();
    snapshot.close();
  },
  patienceMs,
);
