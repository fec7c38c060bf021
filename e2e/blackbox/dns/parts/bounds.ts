/** F1.bounds: what one answer and one client may cost, and an honest client beside it. */
import { encodeMessage, type Labels, query, replyTo, types } from '#properties/models/dns-message.ts';
import { type Finding, holds } from '../../finding.ts';
import { control } from '../controls.ts';
import { exchangePart } from '../exchange-part.ts';
import { type Part, silent } from '../part.ts';
import { type Exchange, plainHex, type Stage } from '../stage.ts';

/** Records that name their owner by a pointer: as many as a message of 65,535 octets holds. */
const manyRecords = 4_000;
const pointer = [0xc0, 12];

function crowd(hex: string): number[] {
  const plain = encodeMessage(replyTo(hex, []));
  const records = Array.from({ length: manyRecords }, (_, index) => [
    ...[...pointer, 0, types.a, 0, 1, 0, 0, 0, 60, 0, 4],
    ...[93, 190, index >> 8, index & 255],
  ]).flat();
  return [...plain.slice(0, 6), manyRecords >> 8, manyRecords & 255, ...plain.slice(8), ...records];
}

const crowdedAnswer = exchangePart({
  claim: 'F1.bounds',
  id: 'bounds/answer',
  sends: `one answer over TCP with ${manyRecords} addresses`,
  never: 'nothing but the size of the message bounds what the guest gets',
  clause: 'findings.md F1: pins per answer are bounded',
  guest: (name) => query(name, types.a),
  play: () => (asked) => {
    if (asked.type !== types.a) return [{ octets: encodeMessage(replyTo(asked.hex, [])) }];
    if (asked.transport === 'tcp') return [{ octets: crowd(asked.hex) }];
    const reply = replyTo(asked.hex, []);
    return [{ octets: encodeMessage({ ...reply, flags: reply.flags | 0x0200 }) }];
  },
  judge({ heard, answer }: Exchange): Finding {
    if (heard.answer === null) return silent;
    const count = new Set(answer?.addresses.map(({ address }) => address)).size;
    const observed = `${count} of ${manyRecords} addresses`;
    return count === manyRecords ? { outcome: 'falsified', observed } : holds(observed);
  },
});

/** Names that the upstream never answers, as many as a client may have on its way. */
const burstQuestions = 1_200;
const honestGapMs = 50;

/** For a server that tells clients by their address, where this machine has a second one. */
function greedyAddress({ server }: Stage['settings']): { readonly from?: string } {
  const isLoopback = process.platform === 'linux' && /^127\./.test(server.address);
  return isLoopback ? { from: '127.0.0.66' } : {};
}

/** Never faster than --rate: the honest client's turns are among the burst's. */
async function burst(stage: Stage): Promise<Finding> {
  const name = stage.names.next('bounds/burst');
  stage.upstream.script(name, () => []);
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const size = Math.min(burstQuestions, stage.settings.perSecond * 6);
  const greedy = { over: false };
  const sent = sendAll(stage, name, size, ended, greedy);
  try {
    const { asked, failed } = await honestBeside(stage, greedy);
    const reached = stage.upstream.seen(name[0] ?? '').length;
    const words = `${failed.length} of ${asked} honest questions unanswered beside ${size} (${reached} reached the upstream)`;
    if (failed.length === 0) return holds(words);
    return { outcome: 'falsified', observed: `${words}: ${failed[0]}` };
  } finally {
    end();
    await Promise.allSettled([sent]);
  }
}

/** The sockets stay open for as long as the honest client asks: no answer is waited for. */
async function sendAll(
  stage: Stage,
  name: Labels,
  size: number,
  ended: Promise<unknown>,
  greedy: { over: boolean },
): Promise<void> {
  const waiting: Promise<unknown>[] = [];
  try {
    for (let index = 0; index < size; index++) {
      await stage.pace.turn();
      const octets = encodeMessage(query([`b${index}`, ...name], types.a, index));
      waiting.push(stage.ask(octets, { until: ended, turnTaken: true, ...greedyAddress(stage.settings) }));
    }
  } finally {
    greedy.over = true;
  }
  await Promise.allSettled(waiting);
}

const enoughFailures = 3;

async function honestBeside(stage: Stage, greedy: { readonly over: boolean }) {
  const failed: string[] = [];
  let asked = 0;
  for (let last = false; !last && failed.length < enoughFailures; ) {
    last = greedy.over || asked > burstQuestions;
    const { state, reason } = await control(stage, types.a);
    asked += 1;
    if (state !== 'answers') failed.push(reason);
    await new Promise((resolve) => setTimeout(resolve, honestGapMs));
  }
  return { asked, failed };
}

const burstPart: Part = {
  claim: 'F1.bounds',
  id: 'bounds/burst',
  sends: `${burstQuestions} questions of one client that the upstream never answers, an honest client beside it`,
  never: 'the honest client goes without an answer',
  clause: 'findings.md F1: in flight and per client are bounded',
  alone: true,
  messages: (names) => ({ guest: [plainHex(['b0', ...names.of('bounds/burst')], types.a)], upstream: [] }),
  run: burst,
};

export function boundParts(): Part[] {
  return [crowdedAnswer, burstPart];
}
