/** Policy changes, ends and crashes: what a pin outlives although it must not. */

import type { UpstreamScript } from '#kvm-lab/providers/dns-lab.ts';
import { guest, nothingAllowed } from '#kvm-lab/providers/topology.ts';
import { types } from '#properties/models/dns-message.ts';
import { cells } from './attack.ts';
import type { DnsAttack, DnsStage } from './dns-attack.ts';
import { at } from './dns-messages.ts';
import { hosts } from './guest-frames.ts';

const other = '151.101.65.69';
const other6 = '2620:fe::fe';
const tap = guest.tap;
const elsewhere = ['elsewhere.test:443'];

const late =
  (addresses: readonly string[], afterMs: number): UpstreamScript =>
  (question, nth) =>
    at(addresses)(question, nth).map((reply) => ({ ...reply, afterMs }));

/** What a tap is left with, whoever left it. */
function judgeNothingLeft(stage: DnsStage, when: string): void {
  for (const { address, protocol, port } of stage.pod.dns.pins(tap)) {
    stage.wrong(`${when} ${address} ${protocol} ${port} is pinned`);
  }
}

async function pinned(stage: DnsStage, address: string): Promise<void> {
  const name = stage.name('pin');
  stage.script(name, at([address]));
  await stage.ask(name, { type: address.includes(':') ? types.aaaa : types.a });
  const isThere = stage.pod.dns.pins(tap).some((pin) => pin.address === address);
  if (!isThere) throw new Error(`${address} was not pinned before the attack`);
}

const sandboxPolicy = (allow: readonly string[]) => ({ ...nothingAllowed, allow });

/** The sandbox goes, and the next one comes on the same tap, with the same addresses. */
async function nextSandbox(stage: DnsStage): Promise<void> {
  const { pod, guest: end, policy } = stage;
  await pod.datapath.close(tap);
  const next = await pod.datapath.open(end.place, sandboxPolicy(policy.allow));
  stage.say('the next sandbox stands on the tap');
  judgeNothingLeft(stage, 'for the next sandbox');
  stage.pod.dns.worldHas([other]);
  await stage.connect(other, { from: next });
}

const ending = {
  source: 'findings.md F1, residual: never deletes the v6 set at teardown',
  shows: 'a pin of the former sandbox in a set of the next one, or a connection by it',
  closesControl: true,
  mayPin: [other, other6],
} as const;

const ends: readonly DnsAttack[] = [
  {
    ...ending,
    id: 'dns-life.next-sandbox-ipv6',
    claim: 'F1.teardown',
    statement: 'the next sandbox on a tap never inherits an IPv6 pin',
    ipv6: true,
    control: 'pinned AAAA',
    expected: cells.residual,
    showpiece: true,
    act: async (stage) => {
      await pinned(stage, other6);
      await stage.pod.dns.detach(tap);
      await nextSandbox(stage);
    },
  },
  {
    ...ending,
    id: 'dns-life.next-sandbox-ipv4',
    claim: 'F1.teardown',
    statement: 'the next sandbox on a tap never inherits an IPv4 pin, nor reaches what it opened',
    expected: cells.closed,
    mayPin: [],
    act: async (stage) => {
      await pinned(stage, hosts.pinned);
      await stage.pod.dns.detach(tap);
      await nextSandbox(stage);
      await stage.connect(hosts.pinned);
    },
  },
  {
    ...ending,
    id: 'dns-life.killed-then-next',
    claim: 'F1.teardown',
    statement: 'after kill -9 of the proxy the next sandbox on a tap never inherits a pin',
    ipv6: true,
    control: 'pinned AAAA',
    expected: cells.residual,
    act: async (stage) => {
      await pinned(stage, other6);
      await pinned(stage, other);
      await stage.pod.dns.kill();
      stage.say('the proxy is dead');
      await nextSandbox(stage);
      await stage.pod.dns.start();
      await stage.pod.dns.attach(stage.guest.place, stage.policy);
      judgeNothingLeft(stage, 'after the restart');
    },
  },
];

const changing = {
  claim: 'F1.policy',
  source: 'findings.md F1, reference: a policy change or teardown cuts flows',
  shows: 'a pin that no entry justifies, or a connection by it',
  closesControl: true,
  mayPin: [other],
  expected: cells.residual,
} as const;

const changes: readonly DnsAttack[] = [
  {
    ...changing,
    id: 'dns-life.narrowed',
    statement: 'after a narrower policy no pin stands that no entry justifies, and nothing is reached by it',
    showpiece: true,
    act: async (stage) => {
      await pinned(stage, other);
      stage.pod.dns.worldHas([other]);
      if (!(await stage.connect(other, { must: true })))
        throw new Error('the pinned address was not reached before the change');
      await stage.pod.dns.policy(tap, { ...stage.policy, allow: elsewhere });
      await stage.pod.datapath.change(tap, sandboxPolicy(elsewhere));
      stage.say('the policy allows another name alone');
      judgeNothingLeft(stage, 'after the change');
      if (await stage.connect(other)) stage.wrong(`a new connection to ${other} was accepted`);
      const name = stage.name('gone');
      stage.script(name, at([other]));
      const { rcode, addresses } = await stage.ask(name);
      if (addresses.length > 0 || rcode !== 'REFUSED')
        stage.wrong(`the name is no more allowed, and ${rcode} was said`);
    },
  },
  {
    ...changing,
    id: 'dns-life.changed-under-way',
    statement: 'a reply to a question that the policy no longer allows never makes a pin or an address',
    mayPin: [],
    act: async (stage) => {
      const name = stage.name('slow');
      stage.script(name, late([other], 200));
      const asked = stage.ask(name, { deadlineMs: 1_500 });
      await stage.pause(60);
      await stage.pod.dns.policy(tap, { ...stage.policy, allow: elsewhere });
      await stage.pod.datapath.change(tap, sandboxPolicy(elsewhere));
      stage.say('the policy changed while the question was under way');
      const { addresses } = await asked;
      for (const { address } of addresses)
        stage.wrong(`${address} was answered to a question that is not allowed`);
      await stage.connect(other);
    },
  },
  {
    ...changing,
    id: 'dns-life.narrowed-while-dead',
    statement: 'a proxy that comes back under a narrower policy never leaves a pin of the wider one',
    source: 'findings.md F1; issue 7 (2): the state after kill -9 and restart is reconciled',
    act: async (stage) => {
      await pinned(stage, other);
      await stage.pod.dns.kill();
      await stage.pod.dns.start();
      await stage.pod.dns.attach(stage.guest.place, { ...stage.policy, allow: elsewhere });
      await stage.pod.datapath.change(tap, sandboxPolicy(elsewhere));
      stage.say('the proxy is back, and the policy allows another name alone');
      judgeNothingLeft(stage, 'after the restart');
      if (await stage.connect(other)) stage.wrong(`a new connection to ${other} was accepted`);
    },
  },
  {
    ...changing,
    id: 'dns-life.killed-and-back',
    claim: 'F1.iff',
    statement: 'after kill -9 and a new start what is answered is pinned, and reached',
    source: 'issue 7 (2): the state after kill -9 and restart is reconciled',
    shows: 'an address in an answer that is not pinned, or not reached',
    closesControl: undefined,
    expected: cells.closed,
    act: async (stage) => {
      stage.pod.dns.worldHas([other]);
      await pinned(stage, other);
      await stage.pod.dns.kill();
      const silent = stage.name('dead');
      stage.script(silent, at([other]));
      const { message } = await stage.ask(silent, { deadlineMs: 150 });
      if (message !== null) stage.wrong('a dead proxy answered');
      await stage.pod.dns.start();
      await stage.pod.dns.attach(stage.guest.place, stage.policy);
      stage.say('the proxy is back, and knows of nothing');
      await pinned(stage, other);
      if (!(await stage.connect(other, { must: true }))) stage.wrong(`${other} is pinned, and not reached`);
    },
  },
  {
    ...changing,
    id: 'dns-life.detached-under-way',
    claim: 'F1.teardown',
    statement: 'a reply that comes after the end of its sandbox never makes a pin',
    mayPin: [],
    act: async (stage) => {
      const name = stage.name('slow');
      stage.script(name, late([other], 150));
      stage.send(name);
      await stage.pause(50);
      await stage.pod.dns.detach(tap);
      stage.say('the proxy was told that the sandbox ends');
      await stage.pause(400);
      for (const { address } of stage.pod.dns.pins(tap).filter((pin) => pin.address === other)) {
        stage.wrong(`after the end ${address} is pinned`);
      }
      await stage.pod.datapath.close(tap);
    },
  },
];

export const attacks: readonly DnsAttack[] = [...ends, ...changes];
