/** F1.covert: the guest cannot speak to the upstream, nor help a forger. */
import * as fc from 'fast-check';
import { addressType, allowedName, dnsConfig, randomness } from '../../arbitraries/dns.ts';
import {
  encodeMessage,
  hexOf,
  type Labels,
  type ModelMessage,
  type ModelRecord,
  query,
  textOfLabels,
  textOfRecord,
  typeName,
  types,
} from '../../models/dns-message.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { honestExchangeWorks } from '../dns-claim.ts';

/** What a guest may vary without asking anything else. */
interface Disguise {
  readonly id: number;
  /** RD, Z, AD, CD and RCODE bits. */
  readonly flagBits: number;
  readonly upperCase: boolean;
  readonly options: readonly number[] | null;
  /** In this section. */
  readonly section: 'answers' | 'authority' | 'additional';
  readonly extra: readonly ModelRecord[];
  readonly trailing: readonly number[];
  readonly transport: 'udp' | 'tcp';
}

interface CovertCase {
  readonly name: Labels;
  readonly type: number;
  readonly random: { readonly id: number; readonly caseBits: string };
  readonly disguise: Disguise;
}

function disguised({ name, type, disguise }: CovertCase): ModelMessage {
  const { id, flagBits, upperCase, options, section, extra, trailing } = disguise;
  const written = upperCase ? name.map((label) => label.toUpperCase()) : name;
  const opt =
    options === null ? [] : [{ owner: [], type: types.opt, class: 4096, ttl: 0, data: { raw: options } }];
  const plain = { ...query(written, type, id), flags: flagBits, additional: opt, trailing };
  return { ...plain, [section]: [...extra, ...plain[section]] };
}

/** What goes upstream for a guest's message; the verdict when nothing does. */
function upstreamOf(
  subject: Subject,
  message: ModelMessage,
  random: CovertCase['random'],
  transport: 'udp' | 'tcp',
): string {
  const input = { message: hexOf(encodeMessage(message)), transport, random };
  const decided = subject.decide('dns-query', dnsConfig)(input);
  return decided.verdict === 'forward' ? (decided.message ?? '') : `nothing (${decided.rule})`;
}

const ecs = [0, 8, 0, 7, 0, 1, 24, 0, 10, 1, 2];
const cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];

export const claim = defineClaim<CovertCase>({
  id: 'F1.covert',
  statement:
    "No bit of any upstream message depends on the guest's message beyond the canonical name and type.",
  source: 'findings.md F1; RFC 5452 section 9.2, RFC 7871, RFC 7873',
  blindSpot:
    'the name itself is a channel to whoever serves an allowlisted zone; rate and timing are judged at tier kernel',
  decisions: ['dns-query', 'dns-reply', 'dns-build'],
  expected: {
    decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    kernel: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
    vm: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' },
  },
  arbitrary: () =>
    fc.record({
      name: allowedName,
      type: addressType,
      random: randomness,
      disguise: fc.record({
        id: fc.oneof(fc.constantFrom(0, 0x1234), fc.integer({ min: 0, max: 65_535 })),
        flagBits: fc.constantFrom(0x0100, 0, 0x0110, 0x0120, 0x0140, 0x0108, 0x017f),
        upperCase: fc.boolean(),
        options: fc.constantFrom(null, [], ecs, cookie, [...ecs, ...cookie]),
        section: fc.constantFrom('additional' as const, 'answers' as const, 'authority' as const),
        trailing: fc.oneof(
          { weight: 19, arbitrary: fc.constant([]) },
          { weight: 1, arbitrary: fc.constantFrom([0], [1, 2, 3]) },
        ),
        transport: fc.constantFrom('udp' as const, 'tcp' as const),
        extra: fc.constantFrom<readonly ModelRecord[]>(
          [],
          [
            {
              owner: ['secret', 'from', 'guest'],
              type: types.txt,
              class: 1,
              ttl: 0,
              data: { raw: [3, 97, 98, 99] },
            },
          ],
        ),
      }),
    }),
  control: honestExchangeWorks,
  judge(subject, input) {
    const plain = upstreamOf(subject, query(input.name, input.type), input.random, 'udp');
    const other = upstreamOf(subject, disguised(input), input.random, input.disguise.transport);
    // What is malformed or odd may be refused: what goes upstream is then nothing at all.
    if (plain === other || other.startsWith('nothing')) return null;
    return {
      observed: `upstream ${other} instead of ${plain}`,
      required: 'the same octets as for a plain query',
      requiredRule: 'nothing but the canonical name and type, findings.md F1',
    };
  },
  notation: ({ name, type, disguise }) =>
    `${textOfLabels(disguise.upperCase ? name.map((label) => label.toUpperCase()) : name)} ${typeName(type)} ` +
    `ID ${disguise.id} flags 0x${disguise.flagBits.toString(16).padStart(4, '0')}` +
    `${disguise.options === null ? '' : ` OPT ${hexOf(disguise.options)}`}` +
    `${disguise.extra.map((record) => `; ${disguise.section.toUpperCase()} ${textOfRecord(record)}`).join('')}` +
    `${disguise.trailing.length === 0 ? '' : `; then ${hexOf(disguise.trailing)}`} over ${disguise.transport}`,
  observe: (subject, input) =>
    `upstream ${upstreamOf(subject, disguised(input), input.random, input.disguise.transport)}`,
});
