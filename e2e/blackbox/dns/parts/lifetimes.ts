/** F1.ttl, as far as it shows without pins: no address lives longer for the guest than for whoever owns it. */
import { cname } from '#properties/arbitraries/dns.ts';
import { query, types } from '#properties/models/dns-message.ts';
import { type Finding, holds } from '../../finding.ts';
import { brokenBy, exchangePart } from '../exchange-part.ts';
import type { Part } from '../part.ts';
import { type Answer, answerWords } from '../received.ts';
import { addressRecordOf, answersWith, type Exchange, plainHex, type Stage } from '../stage.ts';
import { scripted } from '../upstream.ts';

const address = '93.184.216.34';

/** RFC 2181 section 8: the most significant bit set is zero. */
const meaning = (ttl: number) => (ttl >= 2 ** 31 ? 0 : ttl);

/** A stub that keeps the address keeps it as long as the shortest record on the way says. */
function livesFor({ addresses, aliasTtls }: Answer): number | null {
  const own = addresses.filter((one) => one.address === address).map(({ ttl }) => ttl);
  return own.length === 0 ? null : Math.min(...own, ...aliasTtls);
}

function judge({ heard, answer }: Exchange, most: number): Finding {
  if (heard.answer === null)
    return { outcome: 'hung', observed: `no answer in ${heard.ms} ms`, absent: true };
  const lives = answer === null ? null : livesFor(answer);
  if (lives === null || lives <= most) return holds(answerWords(answer));
  const hex = heard.answer.toString('hex');
  return { outcome: 'falsified', observed: `${answerWords(answer)}, its owner said ${most}`, hex };
}

const ttls = [0, 1, 29, 60, 300, 86_400, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

function recordPart(ttl: number): Part {
  return exchangePart({
    claim: 'F1.ttl',
    id: `answer/ttl/${ttl}`,
    sends: `an address with TTL ${ttl}`,
    never: `the guest is told more than ${meaning(ttl)} s`,
    clause: 'RFC 2181 section 8',
    guest: (name) => query(name, types.a),
    play: (name) => answersWith(name, [addressRecordOf(name, address, ttl)]),
    judge: (exchange) => judge(exchange, meaning(ttl)),
  });
}

function chainPart(aliasTtl: number, ttl: number): Part {
  return exchangePart({
    claim: 'F1.ttl',
    id: `answer/ttl/chain-${aliasTtl}-${ttl}`,
    sends: `a CNAME with TTL ${aliasTtl} to an address with TTL ${ttl}`,
    never: `the guest may use the address for more than ${Math.min(aliasTtl, ttl)} s`,
    clause: 'RFC 1034 section 3.6.2, RFC 2181 section 8',
    guest: (name) => query(name, types.a),
    play: (name) => {
      const alias = ['alias', ...name];
      return answersWith(name, [cname(name, alias, aliasTtl), addressRecordOf(alias, address, ttl)]);
    },
    judge: (exchange) => judge(exchange, Math.min(aliasTtl, ttl)),
  });
}

const agedTtl = 5;
const agedMs = 2_100;

/** A cache counts down; whoever asks the upstream again may begin anew. */
const aged: Part = {
  claim: 'F1.ttl',
  id: 'answer/ttl/aged',
  sends: `an address with TTL ${agedTtl}, asked for again ${agedMs} ms later`,
  never: 'a cache answers with the whole TTL again',
  clause: 'RFC 1035 section 3.2.1, RFC 2181 section 8',
  messages(names) {
    const name = names.of('answer/ttl/aged');
    const hex = plainHex(name, types.a);
    return {
      guest: [hex, hex],
      upstream: scripted(answersWith(name, [addressRecordOf(name, address, agedTtl)]), hex),
    };
  },
  async run(stage: Stage) {
    const name = stage.names.next('answer/ttl/aged');
    const play = answersWith(name, [addressRecordOf(name, address, agedTtl)]);
    const first = await stage.exchange(name, query(name, types.a), play);
    const asked = stage.upstream.seen(name[0] ?? '').length;
    await new Promise((resolve) => setTimeout(resolve, agedMs));
    stage.pace.check();
    const second = await stage.exchange(name, query(name, types.a), play);
    const broken = brokenBy(first) ?? brokenBy(second);
    if (broken !== null) return broken;
    if (stage.upstream.seen(name[0] ?? '').length > asked) return holds('the upstream is asked again');
    return judge(second, agedTtl - Math.floor(agedMs / 1_000));
  },
};

export function lifetimeParts(): Part[] {
  return [...ttls.map(recordPart), chainPart(40, 200), chainPart(200, 40), chainPart(0, 300), aged];
}
