/** The datapath works with what a husk’s container has: what the kernel says of its process, not what was asked for. */
import { readFileSync, readlinkSync } from 'node:fs';
import { confinementOf } from '#kvm-lab/providers/container/husk-container.ts';
import { guest, pod as podPlace, policy } from '#kvm-lab/providers/topology.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { control } from '../../fixtures/controls.ts';
import { expect, test } from '../../fixtures/husk-network.ts';

const netAdmin = (1n << 12n).toString(16).padStart(16, '0');
const none = '0'.repeat(16);
const { denyCIDRs, nat64Prefixes, pinPrivateCIDRs } = podPlace;
const dnsPolicy = { allow: ['*.ok.test:443'], ipv6: false, denyCIDRs, nat64Prefixes, pinPrivateCIDRs };
const namespaces = ['net', 'mnt', 'pid', 'ipc', 'uts'] as const;

/** Options of a mount as the process sees it. */
function mountOptions(pid: number, where: string): string {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
  return lines.map((line) => line.split(' ')).find((row) => row[4] === where)?.[5] ?? '';
}

/** In its network namespace something is bound to UDP port 53. */
const hasResolver = (pid: number) =>
  /^\s*\d+: [0-9A-F]{8}:0035 /m.test(readFileSync(`/proc/${pid}/net/udp`, 'latin1'));

/** What a husk's process has, and nothing more. */
function expectConfined(pid: number): void {
  expect(confinementOf(pid)).toEqual({
    capabilities: [netAdmin, netAdmin, none, netAdmin, none],
    noNewPrivileges: true,
    seccomp: 2,
  });
  expect(mountOptions(pid, '/proc/sys').split(',')).toContain('ro');
  expect(mountOptions(pid, '/huskproof').split(',')).toContain('ro');
  for (const name of namespaces)
    expect(readlinkSync(`/proc/${pid}/ns/${name}`), name).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
}

for (const subject of builtInSubjects) {
  test(`the datapath works with NET_ADMIN alone, confined as a husk · ${subject}`, async ({ openPod }) => {
    const { pod, stage } = await openPod(subject);
    expect(pod.processes.length).toBe(2);
    for (const pid of pod.processes) expectConfined(pid);
    // The harness itself is not confined: what is read above can come out otherwise.
    expect(confinementOf(process.pid).capabilities[0]).not.toBe(netAdmin);
    expect(mountOptions(process.pid, '/proc').split(',')).toContain('rw');
    expect(await control('resolver', stage)).not.toBeNull();
    expect(await control('allowed host', stage)).not.toBeNull();
  });
}

for (const subject of builtInSubjects) {
  test(`the DNS proxy works beside it with the same rights, on port 53 · ${subject}`, async ({
    dnsLab,
    seed: _,
  }) => {
    const pod = await dnsLab(subject).freshPod();
    try {
      await pod.datapath.open(guest, policy);
      await pod.dns.start();
      await pod.dns.attach(guest, dnsPolicy);
      const { pid } = pod.dns;
      expect(pod.processes).not.toContain(pid);
      expectConfined(pid);
      expect(readlinkSync(`/proc/${pid}/ns/net`)).toBe(readlinkSync(`/proc/${pod.processes[0]}/ns/net`));
      const [container = 0] = pod.processes;
      expect(hasResolver(container)).toBe(true);
      await pod.dns.kill();
      expect(hasResolver(container)).toBe(false);
    } finally {
      await pod.close();
    }
  });
}

test('a datapath that is killed is followed by another in the same container · reference', async ({
  openPod,
}) => {
  const { pod } = await openPod('reference');
  const [container, first] = pod.processes;
  await pod.datapath.restart();
  const [still, second] = pod.processes;
  expect(still).toBe(container);
  expect(second).not.toBe(first);
  expect(confinementOf(second ?? 0)).toEqual(confinementOf(container ?? 0));
});

test('a pod never gets the container of another · reference', async ({ freshPod }) => {
  const [one, other] = [await freshPod('reference'), await freshPod('reference')];
  expect(new Set([...one.processes, ...other.processes]).size).toBe(4);
  const [first, second] = [one, other].map(({ processes }) => readlinkSync(`/proc/${processes[0]}/ns/net`));
  expect(first).not.toBe(second);
});
