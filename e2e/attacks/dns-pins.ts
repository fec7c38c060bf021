/** Pins that fail, pins that are too many, pins that live too long: what is answered is what the kernel holds. */
import type { KernelPin } from '#kvm-lab/providers/dns-lab.ts';
import { cells } from './attack.ts';
import type { DnsAttack, DnsStage, Got } from './dns-attack.ts';
import { addressOf, alias, at, honest, labelsOf, nameIn, said } from './dns-messages.ts';
import { hosts } from './guest-frames.ts';

const second = '151.101.65.69';
const ceilingMs = 300_000;
const floorMs = 30_000;
/** A pin was made a moment before it is read. */
const readLateMs = 2_500;

const own = (stage: DnsStage) => stage.pod.dns.pins(stage.guest.place.tap);

/** A failure says SERVFAIL and leaves nothing newly pinned. */
function judgeFailure(stage: DnsStage, got: Got, before: readonly KernelPin[]): void {
  if (got.addresses.length === 0 && got.rcode !== 'SERVFAIL')
    stage.wrong(`the pin failed, and ${got.rcode} was said`);
  if (got.addresses.length > 0) return;
  const known = new Set(before.map(({ address, port }) => `${address} ${port}`));
  for (const { address, port } of own(stage).filter((pin) => !known.has(`${pin.address} ${pin.port}`))) {
    stage.wrong(`the answer failed, and ${address} port ${port} is pinned`);
  }
}

/** Each address that was answered stands at each port of the policy. */
function judgePorts(stage: DnsStage, got: Got, ports: readonly number[]): void {
  const pins = own(stage);
  for (const { address } of got.addresses) {
    for (const port of ports.filter(
      (one) => !pins.some((pin) => pin.address === address && pin.port === one),
    )) {
      stage.wrong(`${address} was answered, and is not pinned at port ${port}`);
    }
  }
}

const failing = {
  claim: 'F1.iff',
  source: 'findings.md F1, reference, messages: pin failure is SERVFAIL and leaves nothing newly pinned',
  shows: 'an address in the answer that is not pinned, or a pin without its answer',
  closesControl: true,
  mayPin: [second],
  expected: cells.residual,
} as const;

const failures: readonly DnsAttack[] = [
  {
    ...failing,
    id: 'dns-pins.set-gone',
    statement: 'an address is never answered when its set is gone',
    showpiece: true,
    act: async (stage) => {
      stage.pod.dns.shrinkSet(stage.guest.place.tap, 'ipv4', 0);
      const name = stage.name('pin');
      stage.script(name, at([hosts.pinned]));
      judgeFailure(stage, await stage.ask(name), []);
    },
  },
  {
    ...failing,
    id: 'dns-pins.set-of-one',
    statement: 'two addresses are never answered when one of them cannot be pinned',
    act: async (stage) => {
      stage.pod.dns.shrinkSet(stage.guest.place.tap, 'ipv4', 1);
      const name = stage.name('pin');
      stage.script(name, at([hosts.pinned, second]));
      judgeFailure(stage, await stage.ask(name), []);
    },
  },
  {
    ...failing,
    id: 'dns-pins.two-ports',
    statement: 'an address is never answered when one of its ports cannot be pinned',
    policy: { allow: ['*.ok.test:443', '*.ok.test:8443'] },
    act: async (stage) => {
      stage.pod.dns.shrinkSet(stage.guest.place.tap, 'ipv4', 1);
      const name = stage.name('pin');
      stage.script(name, at([second]));
      const got = await stage.ask(name);
      judgePorts(stage, got, [443, 8443]);
      judgeFailure(stage, got, []);
    },
  },
  {
    ...failing,
    id: 'dns-pins.ttl-that-nft-refuses',
    statement: 'an address whose TTL is beyond what a set can hold is never answered without a pin',
    source: 'RFC 2181 section 8; findings.md F1, residual: a TTL of 2³¹−1 makes nft refuse the element',
    closesControl: undefined,
    act: async (stage) => {
      for (const ttl of [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
        const name = stage.name('pin');
        stage.script(name, at([second], ttl));
        await stage.ask(name);
      }
    },
  },
];

/** What is left of the pin of an address; null: it is not pinned. */
const leftOf = (stage: DnsStage, address: string) =>
  own(stage).find((pin) => pin.address === address && (pin.leftMs ?? 1) > 0)?.leftMs ?? null;

/** The answer never promises more than the kernel holds. */
function judgeTtl(stage: DnsStage, { addresses, message }: Got): void {
  if (message === null) stage.wrong('nothing was answered');
  for (const { address, ttl } of addresses) {
    const leftMs = leftOf(stage, address) ?? 0;
    // Read after the answer came: the pin lost a moment meanwhile, and a whole second is no moment.
    if (ttl * 1_000 > leftMs + 900)
      stage.wrong(`${address} is answered for ${ttl} s, and pinned for ${Math.round(leftMs)} ms`);
  }
}

const timed = {
  claim: 'F1.ttl',
  source: 'findings.md F1, reference, messages: returned TTL ≤ pin; clamp to [30 s, ceiling]',
  shows: 'a TTL that outlives its pin, or a pin beyond the bounds',
  mayPin: [second],
  expected: cells.residual,
} as const;

const lives: readonly DnsAttack[] = [
  {
    ...timed,
    id: 'dns-pins.ttl-of-a-day',
    statement: 'a pin never lives beyond the ceiling, and never below the floor',
    falsifiedBy: ['pins-for-a-day'],
    act: async (stage) => {
      for (const ttl of [86_400, 604_800, 1, 0]) {
        const name = stage.name('day');
        const address = `151.101.65.${70 + (ttl % 97)}`;
        stage.script(name, at([address], ttl));
        judgeTtl(stage, await stage.ask(name));
        const leftMs = leftOf(stage, address);
        if (leftMs === null) stage.wrong(`${address} is not pinned`);
        else if (leftMs > ceilingMs)
          stage.wrong(`${address} of TTL ${ttl} is pinned for ${Math.round(leftMs / 1_000)} s`);
        else if (leftMs < floorMs - readLateMs)
          stage.wrong(`${address} of TTL ${ttl} is pinned for ${leftMs} ms`);
      }
    },
    mayPin: [86_400, 604_800, 1, 0].map((ttl) => `151.101.65.${70 + (ttl % 97)}`),
  },
  {
    ...timed,
    id: 'dns-pins.asked-again',
    statement: 'an answer never promises more than is left of a pin that stood already',
    source: 'facts.md, nftables cost: re-adding an element does not refresh its expiry by itself',
    showpiece: true,
    act: async (stage) => {
      const name = stage.name('again');
      stage.script(name, at([second], 90));
      judgeTtl(stage, await stage.ask(name));
      await stage.pause(2_200);
      judgeTtl(stage, await stage.ask(name));
    },
  },
  {
    ...timed,
    id: 'dns-pins.shorter-again',
    statement: 'a shorter TTL never shortens a pin that stands',
    source:
      'findings.md F1, reference: re-pinning never shortens; 6.18 takes another timeout over what stands',
    act: async (stage) => {
      const name = stage.name('shorter');
      stage.script(name, (question, nth) => at([second], nth === 0 ? 200 : 31)(question, nth));
      judgeTtl(stage, await stage.ask(name));
      const before = leftOf(stage, second) ?? 0;
      judgeTtl(stage, await stage.ask(name));
      const after = leftOf(stage, second) ?? 0;
      if (after < before - readLateMs) stage.wrong(`the pin had ${before} ms left, and has ${after}`);
    },
  },
  {
    ...timed,
    id: 'dns-pins.alias-of-less',
    statement: 'an answer never promises more than the shortest record of its chain',
    source:
      'findings.md F1, reference: returned TTL = min(TTLs of record and chain, what is left of the pin)',
    act: async (stage) => {
      const name = stage.name('chain');
      stage.script(name, (question) => {
        const target = labelsOf('end.cdn.test');
        return [
          said(honest(question, [alias(nameIn(question), target, 40), addressOf(target, second, 250)])),
        ];
      });
      const { addresses } = await stage.ask(name);
      for (const { address, ttl } of addresses) {
        if (ttl > 40) stage.wrong(`${address} is answered for ${ttl} s behind an alias of 40 s`);
      }
      if (addresses.length === 0) stage.wrong('nothing was answered');
    },
  },
];

/** Pins of three seconds: the floor is a second here. */
const races: readonly DnsAttack[] = [
  {
    ...timed,
    id: 'dns-pins.about-to-expire',
    statement: 'an answer never promises an address for longer than a pin that is about to expire',
    ttlFloorSeconds: 1,
    act: async (stage) => {
      const name = stage.name('race');
      stage.script(name, at([second], 3));
      await stage.ask(name);
      await stage.pause(1_700);
      judgeTtl(stage, await stage.ask(name));
    },
  },
  {
    ...timed,
    id: 'dns-pins.expired',
    statement: 'a new connection is never accepted once its pin has expired',
    source: 'findings.md F1, reference: expiry stops new flows',
    shows: 'a connection after the pin expired',
    ttlFloorSeconds: 1,
    expected: cells.closed,
    act: async (stage) => {
      stage.pod.dns.worldHas([second]);
      const name = stage.name('short');
      stage.script(name, at([second], 2));
      await stage.ask(name);
      stage.tryConnect(second);
      const untilMs = performance.now() + 8_000;
      while (leftOf(stage, second) !== null && performance.now() < untilMs) await stage.pause(50);
      stage.say('the kernel shows the pin no more');
      if (await stage.connect(second))
        stage.wrong(`a connection to ${second} was accepted after its pin expired`);
    },
  },
];

export const attacks: readonly DnsAttack[] = [...failures, ...lives, ...races];
