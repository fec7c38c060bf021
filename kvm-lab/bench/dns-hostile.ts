/** What a bad reply costs beside a good one of the same length: judged, planned and answered, on one core. */
import { recordsOf } from '#properties/arbitraries/dns-large-messages.ts';
import { types } from '#properties/models/dns-message.ts';
import { encodeSketch, plainName } from '#properties/models/dns-sketch.ts';
import { buildAnswer, planAnswer } from '#reference/decisions/dns-answer/dns-build.ts';
import { compileDnsPolicy } from '#reference/decisions/dns-answer/dns-policy.ts';
import { judgeReply } from '#reference/decisions/dns-answer/dns-reply.ts';
import { readMessage } from '#reference/decisions/dns-answer/wire.ts';
import type { Benchmark, BenchmarkMeasurement } from './benchmark.ts';
import { measure } from './measure.ts';

const policy = compileDnsPolicy({
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  allow: ['example.com:443'],
  ipv6: false,
  randomCase: true,
  ttlFloorSeconds: 30,
  ttlCeilingSeconds: 300,
  maxPinsPerAnswer: 64,
});
const server = { address: '192.0.2.53', port: 53 };
const name = ['example', 'com'];

function message(flags: number, kind: Parameters<typeof recordsOf>[0], amount: number): Uint8Array {
  const questions = [{ name: plainName(name), type: types.a, class: 1 }];
  const answers = recordsOf(kind, amount, types.a)(name);
  return encodeSketch({ id: 7, flags, questions, answers, authority: [], additional: [] });
}

const query = message(0x0100, 'distinct', 0);

function answerOne(reply: Uint8Array): number {
  const guest = readMessage(query);
  const input = { query, sentTo: server, reply, from: server, transport: 'tcp' as const };
  const judged = judgeReply(policy, input);
  if (guest === null || judged.verdict !== 'accept')
    throw new Error(`the bench's reply is ${judged.verdict}`);
  const plan = planAnswer(policy, guest, judged.message, 'tcp');
  return buildAnswer(guest, judged.message, plan, plan.pinTtlSeconds).length;
}

/** Of each length the good one first; the others hold as much of one kind as fits. */
const lengths = [
  { octets: 1_232, kinds: { distinct: 75, same: 75, refused: 75, aliases: 68, links: 40 } },
  { octets: 65_535, kinds: { distinct: 4_090, same: 4_090, refused: 4_090, aliases: 4_600, links: 1_900 } },
] as const;

export const dnsHostile: Benchmark = {
  summary:
    'a reply of distinct addresses, and hostile ones of about the same length, judged and answered on one core',
  async run() {
    const measurements: BenchmarkMeasurement[] = [];
    for (const { octets, kinds } of lengths) {
      const contenders = Object.entries(kinds).map(([kind, amount]) => {
        const reply = message(0x8180, kind as keyof typeof kinds, amount);
        return {
          name: `${kind}, ${reply.length.toLocaleString('en-US')} octets`,
          run(count: number) {
            let sum = 0;
            for (let done = 0; done < count; done++) sum += answerOne(reply);
            return sum;
          },
        };
      });
      const measured = measure(contenders).map((one) => ({ ...one, unit: 'replies' }));
      for (const [index, one] of measured.entries())
        measurements.push(index === 0 && octets !== lengths[0].octets ? { ...one, leads: true } : one);
    }
    return {
      measurements,
      notes: ['"ours is N×": a good reply is answered N times as often as that hostile one.'],
    };
  },
};
