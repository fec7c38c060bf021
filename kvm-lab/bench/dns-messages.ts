/**
 * dns-reply and dns-build on one core: a reply judged, its pins planned, the guest's answer built; bytes
 * in, bytes out.
 */
import * as dnsPacket from 'dns-packet';
import { buildAnswer, planAnswer } from '#reference/decisions/dns-answer/dns-build.ts';
import { compileDnsPolicy } from '#reference/decisions/dns-answer/dns-policy.ts';
import { decideQuery } from '#reference/decisions/dns-answer/dns-query.ts';
import { judgeReply } from '#reference/decisions/dns-answer/dns-reply.ts';
import { readMessage } from '#reference/decisions/dns-answer/wire.ts';
import type { Benchmark } from './benchmark.ts';
import { measure } from './measure.ts';

const policy = compileDnsPolicy({
  denyCIDRs: ['10.96.0.0/12'],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  allow: ['*.example.com:443'],
  ipv6: false,
  randomCase: true,
  ttlFloorSeconds: 30,
  ttlCeilingSeconds: 300,
  maxPinsPerAnswer: 64,
});
const server = { address: '192.0.2.53', port: 53 };

/** One exchange: a CNAME and `count` addresses, compressed as servers do. */
function exchange(count: number) {
  const name = 'www.example.com';
  const asked = dnsPacket.encode({ type: 'query', id: 7, flags: 256, questions: [{ type: 'A', name }] });
  const random = { id: 4242, caseBits: new Uint8Array(32).fill(0x5a) };
  const decided = decideQuery(policy, asked, 'udp', random);
  if (decided.verdict !== 'forward') throw new Error(`the bench's query is not forwarded: ${decided.rule}`);
  const query = decided.message;
  const answers: Buffer[] = [
    Buffer.from([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 6, 3, 99, 100, 110, 0xc0, 16]),
  ];
  const owner = 12 + 21 + 12;
  for (let index = 0; index < count; index++) {
    answers.push(Buffer.from([0xc0, owner, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 93, 184, 216, index]));
  }
  const question = query.subarray(12, 12 + 17 + 4);
  const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, count + 1, 0, 0, 0, 0]);
  const reply = Buffer.concat([header, question, ...answers]);
  const guest = readMessage(asked);
  if (guest === null) throw new Error("the bench's question is malformed");
  return { guest, query, reply };
}

const exchanges = [1, 2, 4].map(exchange);

function answerOne({ guest, query, reply }: (typeof exchanges)[number]): number {
  const judged = judgeReply(policy, { query, sentTo: server, reply, from: server, transport: 'udp' });
  if (judged.verdict !== 'accept') throw new Error(`the bench's reply is not accepted: ${judged.rule}`);
  const plan = planAnswer(policy, guest, judged.message, 'udp');
  return buildAnswer(guest, judged.message, plan, plan.pinTtlSeconds).length;
}

export const dnsMessages: Benchmark = {
  summary:
    'dns-reply + dns-build on one core, a CNAME and 1, 2 or 4 addresses; peer: dns-packet, decode and encode alone',
  async run() {
    const measured = measure([
      {
        name: 'dns-reply + dns-build',
        run(count) {
          let octets = 0;
          for (let done = 0; done < count; done++)
            octets += answerOne(exchanges[done % 3] as (typeof exchanges)[number]);
          return octets;
        },
      },
      {
        name: 'dns-packet decode + encode',
        run(count) {
          let octets = 0;
          for (let done = 0; done < count; done++) {
            const packet = dnsPacket.decode((exchanges[done % 3] as (typeof exchanges)[number]).reply);
            octets += dnsPacket.encode(packet as dnsPacket.Packet).length;
          }
          return octets;
        },
      },
    ]);
    return { measurements: measured.map((one) => ({ ...one, unit: 'replies' })), notes: [] };
  },
};
