/**
 * Set-up, policy change and end, one change to the kernel at a time: in every state between, a volley of attacks
 * from the guest and from the uplink; then the same with `kill -9` at each step.
 */
import { ethernet, etherTypes } from '#kvm-lab/frames/link.ts';
import { frameInWords, readFrame } from '#kvm-lab/frames/read-frame.ts';
import type { GuestEnd, HuskPod, OnStep, Tables } from '#kvm-lab/providers/network-lab.ts';
import {
  guest,
  hosts,
  nothingAllowed,
  policy,
  router,
  sibling,
  uplink,
} from '#kvm-lab/providers/topology.ts';
import { type BuiltInSubject, builtInSubjects } from '#properties/subjects/subject.ts';
import type { Stage } from '../../attacks/attack.ts';
import { datagram, datagramPacket, own } from '../../attacks/guest-frames.ts';
import { control } from '../../fixtures/controls.ts';
import { effectInWords, effectsOf } from '../../fixtures/effects.ts';
import { evidenceFolder, keep, pcap } from '../../fixtures/evidence.ts';
import { react } from '../../fixtures/hostile-reactions.ts';
import { expect, test } from '../../fixtures/husk-network.ts';
import { stageOf } from '../../fixtures/stage.ts';
import { volley } from '../../fixtures/volley.ts';

const stepMs = 40;
const earlyGuest = 'a guest before its tap is handed over';
const windowMs = 250;
const phases = ['set-up', 'change', 'end'] as const;
type Phase = (typeof phases)[number];

const source =
  'findings.md F4: the invariants hold in every reachable state, mid-setup and mid-teardown included';
const expected = { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } as const;

interface Scene {
  readonly pod: HuskPod;
  readonly stage: Stage;
  readonly neighbor: GuestEnd;
  readonly before: Tables;
  readonly fromMs: number;
}

/** A sibling that stands and works, and for all phases but the first the sandbox itself. */
async function sceneFor(pod: HuskPod, phase: Phase, seed: number): Promise<Scene> {
  const neighbor = await pod.datapath.open(sibling, policy);
  const end = phase === 'set-up' ? null : await pod.datapath.open(guest, policy);
  const stage = stageOf(pod, end ?? neighbor, neighbor, seed);
  expect(await control('resolver', stage)).not.toBeNull();
  await pod.probe();
  await stage.pause(20);
  pod.drain();
  const before = pod.tables();
  pod.drain();
  return { pod, stage, neighbor, before, fromMs: performance.now() };
}

function begin(pod: HuskPod, phase: Phase, onStep: OnStep): Promise<unknown> {
  if (phase === 'set-up') return pod.datapath.open(guest, policy, onStep);
  if (phase === 'change') return pod.datapath.change(guest.tap, nothingAllowed, onStep);
  return pod.datapath.close(guest.tap, onStep);
}

/** The sandbox's own interface, routes and addresses come and go: that is what a transition does. */
const isOwn = (line: string) => line.includes(guest.tap) && !/fe80|10\.244\.1\.1\b|default/.test(line);

async function effectsSince({ pod, stage, neighbor, before, fromMs }: Scene): Promise<string[]> {
  const end = pod.datapath.grab(guest);
  const probes = await pod.probe();
  await stage.pause(stepMs);
  await end?.settled();
  pod.drain();
  const watched = { pod, guest: end ?? neighbor, sibling: null, fromMs, before, after: pod.tables(), probes };
  const answersSibling = ({ fromPort }: { fromPort?: number }) => fromPort === 53;
  return effectsOf(watched, { explains: (reading) => end === null || answersSibling(reading) })
    .map(effectInWords)
    .filter((effect) => !(/^state changed: (route|address|neighbour)/.test(effect) && isOwn(effect)));
}

async function attackFor(scene: Scene, forMs: number): Promise<void> {
  const end = scene.pod.datapath.grab(guest);
  const first = end?.frames.length ?? 0;
  volley(scene.stage, end);
  await end?.settled();
  await scene.stage.pause(forMs / 2);
  if (end !== null) react(end, first);
  await scene.stage.pause(forMs / 2);
}

const siblingWorks = ({ pod, neighbor }: Scene, seed: number) =>
  control('resolver', stageOf(pod, neighbor, null, seed + 5_000));

for (const phase of phases) {
  for (const subject of builtInSubjects) {
    test(`F4.transition no hole in any state of ${phase} · ${subject}`, async ({
      freshPod,
      judge,
      seed,
      needs,
    }) => {
      if (phase === 'set-up') needs(subject, earlyGuest);
      const scene = await sceneFor(await freshPod(subject), phase, seed);
      const steps: string[] = [];
      await begin(scene.pod, phase, async (what) => {
        steps.push(`before: ${what.slice(0, 100)}`);
        await attackFor(scene, stepMs);
        return 'go';
      });
      if (phase !== 'end') await attackFor(scene, windowMs);
      const effects = await effectsSince(scene);
      expect(steps.length).toBeGreaterThan(0);
      expect(await siblingWorks(scene, seed), 'a sibling is untouched').not.toBeNull();
      const folder = evidenceFolder(subject, `transition-${phase}`);
      keep(folder, {
        'pod.pcap': pcap(scene.pod.podFrames),
        'world.pcap': pcap(scene.pod.worldFrames),
        'ruleset.nft': scene.pod.ruleset(),
      });
      await judge({
        claim: 'F4.transition',
        subject,
        // Ending takes the tap first: nothing comes from a guest any more, in any of the three.
        expected: expected[subject],
        statement: `no packet has an effect it must not have, in any state of ${phase}`,
        source,
        effects,
        steps,
        folder,
      });
    });
  }
}

/** How many changes to the kernel the phase makes. */
async function countSteps(pod: HuskPod, phase: Phase): Promise<number> {
  if (phase !== 'set-up') await pod.datapath.open(guest, policy);
  let count = 0;
  await begin(pod, phase, async () => {
    count += 1;
    return 'go';
  });
  return count;
}

async function killAt(
  pod: HuskPod,
  { subject, phase, at, seed }: { subject: BuiltInSubject; phase: Phase; at: number; seed: number },
): Promise<string[]> {
  const scene = await sceneFor(pod, phase, seed);
  let step = 0;
  let killed = '';
  const whole = begin(pod, phase, async (what) => {
    // The VMM may have its end of the tap by now, and outlives the datapath for a while.
    pod.datapath.grab(guest);
    if (step++ !== at) return 'go';
    killed = what.slice(0, 60);
    return 'kill';
  });
  await expect(whole).rejects.toThrow(/gone/);
  await attackFor(scene, windowMs);
  const effects = (await effectsSince(scene)).map((effect) => `killed before ${killed}: ${effect}`);
  if (subject !== 'reference') return effects;
  await pod.datapath.restart();
  const end = await pod.datapath.open(guest, policy);
  const works = await control('allowed host', stageOf(pod, end, null, seed + 9_000));
  return works === null
    ? [...effects, `killed before ${killed}: the next process cannot open the sandbox`]
    : effects;
}

for (const phase of phases) {
  test(`F4.transition kill -9 at every step of ${phase} leaves no hole, and the next process works · reference`, async ({
    freshPod,
    judge,
    seed,
    needs,
  }) => {
    if (phase === 'set-up') needs('reference', earlyGuest);
    const count = await countSteps(await freshPod('reference'), phase);
    expect(count).toBeGreaterThan(0);
    const effects: string[] = [];
    for (let at = 0; at < count; at++) {
      effects.push(...(await killAt(await freshPod('reference'), { subject: 'reference', phase, at, seed })));
    }
    await judge({
      claim: 'F4.transition',
      subject: 'reference',
      expected: 'holds',
      statement: `whenever the process dies during ${phase}, no packet has an effect it must not have`,
      source,
      effects,
      steps: [`killed at each of ${count} steps`],
    });
  });
}

test('F4.transition kill -9 between tap and rules leaves the published sandbox open · published', async ({
  freshPod,
  judge,
  seed,
  needs,
}) => {
  needs('published', earlyGuest);
  const pod = await freshPod('published');
  const scene = await sceneFor(pod, 'set-up', seed);
  let isUp = false;
  const whole = begin(pod, 'set-up', async (what) => {
    pod.datapath.grab(guest);
    if (isUp) return 'kill';
    isUp = what === `ip link set dev ${guest.tap} up`;
    return 'go';
  });
  await expect(whole).rejects.toThrow(/gone/);
  await attackFor(scene, windowMs);
  await judge({
    claim: 'F4.transition',
    subject: 'published',
    expected: 'falsified',
    statement: 'whenever the process dies during set-up, no packet has an effect it must not have',
    source: 'findings.md F4, residual: rules are installed in several steps after the tap is up',
    effects: await effectsSince(scene),
  });
});

const isStanding = (line: string) => !/^\s*$/.test(line);
/** Marks are of a policy, and the same for the same policy; nothing else of a listing depends on what was before. */
const lines = (ruleset: string) => ruleset.split('\n').filter(isStanding);

for (const subject of builtInSubjects) {
  test(`F4.converge after p → q the ruleset equals a fresh q · ${subject}`, async ({ freshPod, judge }) => {
    const wider = { ...policy, allow: [...policy.allow, 'tcp://198.41.0.0/16:853'] };
    const [changed, fresh] = [await freshPod(subject), await freshPod(subject)];
    await changed.datapath.open(guest, wider);
    await changed.datapath.change(guest.tap, policy);
    await fresh.datapath.open(guest, policy);
    const [left, right] = [lines(changed.ruleset()), lines(fresh.ruleset())];
    const effects = [
      ...left.filter((line) => !right.includes(line)).map((line) => `left of p: ${line.trim()}`),
      ...(left.length === right.length ? [] : [`${left.length} lines, a fresh q has ${right.length}`]),
      ...left
        .flatMap((line, index) => (line === right[index] ? [] : [`line ${index}: ${line.trim()}`]))
        .slice(0, 1),
    ];
    await judge({
      claim: 'F4.converge',
      subject,
      expected: expected[subject],
      statement: 'after any policy change p → q the ruleset equals a fresh q',
      source: 'findings.md F4, invariant 7',
      effects,
    });
  });
}

test(`F4.transition a tap name that is taken is an error, and what is there stays · reference`, async ({
  openPod,
}) => {
  const { pod, stage } = await openPod('reference');
  await expect(pod.datapath.open(guest, nothingAllowed)).rejects.toThrow(/tap-a/);
  expect(await control('allowed host', stage), uplink.name).not.toBeNull();
});

for (const subject of builtInSubjects) {
  test(`F4.transition after kill -9 what answers the former guest never reaches the next one · ${subject}`, async ({
    openPod,
    judge,
  }) => {
    const { pod, end, stage } = await openPod(subject);
    end.send(datagram({ from: own, to: hosts.allowed, fromPort: 15_004, toPort: 443 }));
    await stage.pause(60);
    const translated = pod.worldReached.findLast(({ what }) => what === 'datagram')?.peer.port ?? 0;
    expect(translated).toBeGreaterThan(0);
    await pod.datapath.restart();
    // What a persistent tap needs before the next process can make it again.
    if (subject !== 'reference') await pod.datapath.removeTap(guest.tap);
    const next = await pod.datapath.open(guest, policy);
    expect(await control('resolver', stageOf(pod, next, null, 1))).not.toBeNull();
    const late = { from: hosts.allowed, to: uplink.ipv4, fromPort: 443, toPort: translated };
    const packet = datagramPacket(late, Buffer.from('late'));
    pod.sendFromUplink(ethernet({ from: router.mac, to: uplink.mac }, etherTypes.ipv4, packet));
    await stage.pause(windowMs);
    const effects = next.frames
      .filter(({ frame }) => readFrame(frame).data.toString() === 'late')
      .map(({ frame }) => `reached the next guest: ${frameInWords(frame)}`);
    await judge({
      claim: 'F4.transition',
      subject,
      expected: expected[subject],
      statement: 'what answers a former guest never reaches the next one, after a kill -9 either',
      source: 'findings.md F4, invariants 4 and 5',
      effects,
    });
  });
}
