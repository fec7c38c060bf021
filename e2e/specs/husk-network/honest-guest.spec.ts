/** What is allowed works, through a kernel of its own behind the same tap: TCP, UDP, megabytes, path MTU, names. */
import { ethernet, etherTypes } from '#kvm-lab/frames/link.ts';
import { readFrame } from '#kvm-lab/frames/read-frame.ts';
import { dnsMessage } from '#kvm-lab/frames/transport.ts';
import { guest, hosts, policy, resolverPort, router, uplink } from '#kvm-lab/providers/topology.ts';
import { allAttacks, attackNamed } from '../../attacks/catalogue.ts';
import { synPacket } from '../../attacks/guest-frames.ts';
import { builtInSubjects, expect, test } from '../../fixtures/husk-network.ts';
import { choice } from '../../fixtures/lab-choice.ts';

const deadlineMs = 20_000;
const windowMs = 250;
const megabytes = 4;
const transferOctets = megabytes << 20;
const allowed = { address: hosts.allowed, port: 443 };
const hello = Buffer.from('hello');
const whole = (octets: number) => (answer: Buffer) => answer.length >= octets;

for (const subject of choice.isSelection ? (['reference'] as const) : builtInSubjects) {
  test(`F4.pod allowed TCP, UDP and names always work · ${subject}`, async ({ openPod }) => {
    const { pod, end } = await openPod(subject);
    const honest = pod.honestGuest(end);
    for (const protocol of ['tcp', 'udp'] as const) {
      const answer = await honest.exchange(protocol, allowed, hello, whole(hello.length), deadlineMs);
      expect(answer, protocol).toMatchObject({ answer: hello });
    }
    const resolver = { address: guest.ipv4.resolver, port: resolverPort };
    const question = dnsMessage(9, 'host.example', null);
    const answer = await honest.exchange('udp', resolver, question, whole(20), deadlineMs);
    expect('answer' in answer ? answer.answer.subarray(-4) : answer).toEqual(
      Buffer.from(hosts.pinned.split('.').map(Number)),
    );
    const overTcp = await honest.exchange('tcp', resolver, question, whole(question.length), deadlineMs);
    expect(overTcp).toHaveProperty('answer');
  });

  test(`F4.pod megabytes pass in both directions · ${subject}`, async ({ openPod }) => {
    const { pod, end } = await openPod(subject);
    const honest = pod.honestGuest(end);
    const down = await honest.exchange(
      'tcp',
      allowed,
      Buffer.from(`send ${transferOctets}`),
      whole(transferOctets),
      deadlineMs,
    );
    expect('answer' in down ? down.answer.length : down).toBe(transferOctets);
    const up = Buffer.alloc(transferOctets, 'u');
    const echoed = await honest.exchange('tcp', allowed, up, whole(transferOctets), deadlineMs);
    expect('answer' in echoed ? echoed.answer.length : echoed).toBe(transferOctets);
  });

  test(`F4.pod path MTU discovery works for what is allowed · ${subject}`, async ({ openPod }) => {
    const { pod, end } = await openPod(subject);
    pod.setUplinkMtu(1_300);
    const honest = pod.honestGuest(end);
    const up = Buffer.alloc(1 << 20, 'u');
    const echoed = await honest.exchange('tcp', allowed, up, whole(up.length), deadlineMs);
    expect('answer' in echoed ? echoed.answer.length : echoed).toBe(up.length);
    expect(await honest.pathMtu(hosts.allowed)).toBe(1_300);
  });

  test(`F4.leave a pin opens one address, protocol and port · ${subject}`, async ({ openPod }) => {
    const { pod, end } = await openPod(subject);
    const honest = pod.honestGuest(end);
    const pinned = { address: hosts.pinned, port: 443 };
    expect(await honest.exchange('tcp', pinned, hello, whole(1), 400)).toHaveProperty('refused');
    await pod.datapath.pin([
      { tap: guest.tap, address: hosts.pinned, protocol: 'tcp', port: 443, timeoutMs: 300_000 },
    ]);
    expect(await honest.exchange('tcp', pinned, hello, whole(5), deadlineMs)).toHaveProperty('answer');
    expect(await honest.exchange('udp', pinned, hello, whole(1), 400)).toHaveProperty('refused');
    expect(await honest.exchange('tcp', { ...pinned, port: 8080 }, hello, whole(1), 400)).toHaveProperty(
      'refused',
    );
  });
}

test('F4.load a transfer and the probes live through every attack of the guest beside them · reference', async ({
  openPod,
}) => {
  const { pod, end, stage } = await openPod('reference');
  const honest = pod.honestGuest(end);
  const transfer = honest.exchange(
    'tcp',
    allowed,
    Buffer.from(`send ${transferOctets}`),
    whole(transferOctets),
    deadlineMs,
  );
  const simple = allAttacks.filter(
    ({ frames, prepare, sibling, id }) =>
      frames !== undefined && prepare === undefined && sibling === undefined && !id.startsWith('policy.'),
  );
  expect(simple.length).toBeGreaterThan(80);
  for (const { id } of simple) {
    for (const frame of attackNamed(id).frames?.(stage) ?? []) end.send(frame);
    if (stage.random(8) === 0) {
      expect(
        (await pod.probe()).filter(({ failure }) => failure !== null),
        id,
      ).toEqual([]);
    }
    await stage.pause(1);
  }
  const down = await transfer;
  expect('answer' in down ? down.answer.length : down).toBe(transferOctets);
});

test('F4.converge what a wider policy allows works, and stops with the narrower one · reference', async ({
  openPod,
}) => {
  const { pod, end } = await openPod('reference');
  const honest = pod.honestGuest(end);
  const other = { address: hosts.forbidden, port: 443 };
  const wider = { ...policy, allow: [...policy.allow, `tcp://${hosts.forbidden}/32:443`] };
  for (let round = 0; round < 3; round++) {
    expect(await honest.exchange('tcp', other, hello, whole(1), 300)).toHaveProperty('refused');
    await pod.datapath.change(guest.tap, wider);
    expect(await honest.exchange('tcp', other, hello, whole(5), deadlineMs)).toHaveProperty('answer');
    await pod.datapath.change(guest.tap, policy);
  }
});

test('F4.inbound an inbound port lets in whom the policy names, and nobody else · reference', async ({
  openPod,
}) => {
  const { pod, end, stage } = await openPod('reference');
  const port = { protocol: 'tcp', podPort: 8022, guestPort: 22, from: `${hosts.controller}/32` } as const;
  await pod.datapath.change(guest.tap, { ...policy, inbound: [port] });
  const begun = (from: string, fromPort: number, toPort: number) =>
    ethernet(
      { from: router.mac, to: uplink.mac },
      etherTypes.ipv4,
      synPacket({ from, to: uplink.ipv4, fromPort, toPort }),
    );
  pod.sendFromUplink(begun(hosts.neighbor, 31_001, 8022));
  pod.sendFromUplink(begun(hosts.controller, 31_002, 8023));
  pod.sendFromUplink(begun(hosts.controller, 31_003, 8022));
  await stage.pause(windowMs);
  await stage.settled();
  const arrived = end.frames
    .filter(({ outgoing }) => !outgoing)
    .map(({ frame }) => readFrame(frame))
    .filter(({ tcpFlags }) => tcpFlags !== undefined);
  expect(arrived.map(({ from, fromPort, to, toPort }) => ({ from, fromPort, to, toPort }))).toEqual([
    { from: hosts.controller, fromPort: 31_003, to: guest.ipv4.guest, toPort: 22 },
  ]);
  await pod.datapath.change(guest.tap, policy);
  pod.sendFromUplink(begun(hosts.controller, 31_004, 8022));
  await stage.pause(windowMs);
  await stage.settled();
  expect(end.frames.some(({ frame }) => readFrame(frame).fromPort === 31_004)).toBe(false);
});
