/** F1.malformed: what is no query gets FORMERR or silence, goes nowhere, and the server answers the next one. */
import * as fc from 'fast-check';
import {
  encodeMessage,
  encodeName,
  hexOf,
  type Labels,
  query,
  types,
} from '#properties/models/dns-message.ts';
import { readStrictly } from '#properties/oracles/dns/strict-reader.ts';
import type { DnsVector } from '#properties/vectors/generate/dns-messages/dns-vector.ts';
import { loadCorpus } from '#properties/vectors/load-corpus.ts';
import { type Finding, holds } from '../../finding.ts';
import { control, recovered } from '../controls.ts';
import type { Heard } from '../guest.ts';
import type { Part } from '../part.ts';
import { codeName } from '../received.ts';
import type { Settings } from '../settings.ts';
import { honestPlay, type Stage } from '../stage.ts';

interface Broken {
  readonly id: string;
  readonly sends: string;
  readonly clause: string;
  /** Octets under this name. */
  readonly octets: (name: Labels) => readonly number[];
}

/** After the control was answered, so long for what comes late. */
const graceMs = 40;

const from = Buffer.from(encodeName(['example', 'com'])).toString('hex');

/** The vector's octets with our name where its name is whole, so that what is forwarded is known again. */
function vectors(): Broken[] {
  return loadCorpus<DnsVector>('dns-messages').vectors.flatMap(
    ({ id, decision, input, comment, source, verdict }) => {
      const hex = String(input.message);
      const isBroken = /^query\/(count|malformed|edns|tail|header)/.test(id) && verdict !== 'forward';
      if (decision !== 'dns-query' || !isBroken) return [];
      const octets = (name: Labels) => [...Buffer.from(hex.replaceAll(from, hexOf(encodeName(name))), 'hex')];
      const clause = source.startsWith('findings') ? 'RFC 1035 section 4.1' : source;
      return [{ id, sends: comment, clause, octets }];
    },
  );
}

type Damage = readonly [kind: 'cut' | 'set' | 'append', at: number, octet: number];

function damaged(plain: readonly number[], [kind, at, octet]: Damage): number[] {
  if (kind === 'cut') return plain.slice(0, 12 + (at % (plain.length - 12)));
  if (kind === 'append') return [...plain, octet];
  const place = 4 + (at % (plain.length - 4));
  return plain.map((own, index) => (index === place ? octet : own));
}

function generated({ seed, runs }: Settings): Broken[] {
  const one = fc.tuple(
    fc.constantFrom('cut' as const, 'set' as const, 'set' as const, 'append' as const),
    fc.nat({ max: 200 }),
    fc.constantFrom(0, 1, 2, 63, 64, 128, 192, 255),
  );
  return fc
    .sample(fc.array(one, { minLength: 1, maxLength: 2 }), { seed, numRuns: runs })
    .map((list, index) => ({
      id: `generated/malformed/${seed}/${index}`,
      sends: list.map(([kind, at, octet]) => `${kind} at ${at} ${octet}`).join(', '),
      clause: 'RFC 1035 section 4.1',
      octets: (name) => list.reduce(damaged, encodeMessage(query(name, types.a))),
    }));
}

/** RCODEs that it may get besides silence; null: it is a query, and may be answered. */
function allowedCodes(octets: Uint8Array): readonly number[] | null {
  const second = octets[2] ?? 0;
  if (octets.length >= 12 && (second & 0x80) !== 0) return [];
  if (octets.length >= 12 && (second & 0x78) !== 0) return [1, 4];
  return readStrictly(octets) === null ? [1] : null;
}

async function judge(stage: Stage, { id, octets }: Broken): Promise<Finding> {
  const name = stage.names.next(id);
  const message = octets(name);
  const codes = allowedCodes(Uint8Array.from(message));
  if (codes === null) return holds('a query after all');
  stage.upstream.script(name, honestPlay(name));
  let answered: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const heard = stage.ask(message, { until });
  const first = await control(stage, types.a);
  setTimeout(answered, graceMs);
  const got = await heard;
  const after = first.state === 'answers' ? first : await recovered(stage, types.a);
  if (after.state !== 'answers') {
    return { outcome: 'crashed', observed: `the next question: ${after.reason}`, hex: hexOf(message) };
  }
  return verdictOf(stage, name, message, got, codes);
}

function verdictOf(
  stage: Stage,
  name: Labels,
  message: readonly number[],
  { answer, messages, flood }: Heard,
  codes: readonly number[],
): Finding {
  const hex = hexOf(message);
  if (flood) return { outcome: 'flood', observed: `over ${messages.length} messages to one`, hex };
  const forwarded = stage.upstream.seen(name[0] ?? '')[0];
  if (forwarded !== undefined) return { outcome: 'falsified', observed: 'forwarded to the upstream', hex };
  // A message without a whole ID has no answer that could be told from others.
  const reply = answer ?? messages.find((octets) => octets.length >= 12) ?? null;
  if (reply === null) return holds('silence');
  const code = (reply[3] ?? 0) & 15;
  return codes.includes(code)
    ? holds(codeName(code))
    : { outcome: 'falsified', observed: `answered with ${codeName(code)}`, hex };
}

export function malformedParts(settings: Settings): Part[] {
  return [...vectors(), ...generated(settings)].map((broken) => ({
    claim: 'F1.malformed',
    id: broken.id,
    sends: broken.sends,
    never: 'it is forwarded, answered as a query, or the last thing that the server answers',
    clause: broken.clause,
    alone: true,
    messages: (names) => ({ guest: [hexOf(broken.octets(names.of(broken.id)))], upstream: [] }),
    run: (stage) => judge(stage, broken),
  }));
}
