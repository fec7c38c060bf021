/** An engine on QEMU with the lab's guest, and what a program says in a sandbox of it. */
import { guestArtifacts } from '#kvm-lab/artifacts/artifacts.ts';
import { openLog } from '#reference/base/log.ts';
import type { TemplateSpec } from '#reference/contract/fork-engine-port.ts';
import type { Accelerator } from '#reference/contract/vmm-port.ts';
import type { Forkd } from '#reference/forkd/forkd.ts';
import { type NetworkMode, openEngine } from '#reference/main/open-engine.ts';

/** Machines under load answer late: that is no lie. */
const deadlineMs = 20_000;

export function labEngine(
  folder: string,
  accelerator: Accelerator,
  network: NetworkMode = 'none',
): Promise<Forkd> {
  const log = openLog('lab-engine', 'warn');
  return openEngine({ folder, accelerator, network, log }, { activation: { deadlineMs } });
}

export async function labTemplate(): Promise<TemplateSpec> {
  const { kernel, kernelSha256, initrd, initrdSha256, commandLine } = await guestArtifacts();
  return {
    kernel: { path: kernel, sha256: kernelSha256 },
    initrd: { path: initrd, sha256: initrdSha256 },
    ...{ commandLine, rootfs: null, memoryMiB: 512, cpus: 1, allowProcesses: [] },
    init: [{ argv: ['/bin/sh', '-c', 'echo warm > /tmp/warm'], timeout_ms: 30_000 }],
  };
}

export async function said(engine: Forkd, id: string, ...argv: string[]): Promise<string> {
  const chunks: Buffer[] = [];
  const order = { argv, timeout_ms: 60_000, max_output_octets: 1 << 20 };
  const end = await engine.exec(id, order, (_stream, octets) => void chunks.push(octets)).ended;
  return `${Buffer.concat(chunks).toString().trim()}${end.ok ? '' : ` [${end.error}]`}`;
}
