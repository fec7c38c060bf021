/** What the published proxy was observed to pin and answer (findings.md F1, "Messages"). */
import { addressRecord } from '../../arbitraries/dns.ts';
import { encodeMessage, hexOf, type ModelMessage, query, replyTo, types } from '../../models/dns-message.ts';
import type { dnsBuild } from '../../protocol/dns-build.ts';
import { defaultDnsPolicy } from '../../protocol/dns-policy.ts';
import type { Observed } from '../observed.ts';

const name = ['time', 'test'];
const asked = hexOf(encodeMessage(query(name, types.a)));
const good = [93, 184, 216, 34];
const reply = (change: Partial<ModelMessage>) => hexOf(encodeMessage({ ...replyTo(asked, []), ...change }));
const pin = (ttlSeconds: number) => ({
  address: '93.184.216.34',
  protocol: 'udp' as const,
  port: 123,
  entry: 'udp://time.test:123',
  ttlSeconds,
});

function row(
  says: string,
  change: Partial<ModelMessage>,
  output: Observed<typeof dnsBuild>['output'],
  failed = false,
): Observed<typeof dnsBuild> {
  const outcomes = failed ? [{ address: '93.184.216.34', pinned: false, remainingSeconds: 0 }] : null;
  const input = { query: asked, reply: reply(change), transport: 'udp' as const, outcomes };
  return { says, config: defaultDnsPolicy, input, output };
}

const a = addressRecord(name, types.a, good, 60);

export const observed: readonly Observed<typeof dnsBuild>[] = [
  row(
    'every A/AAAA in ANSWER is filtered and pinned for each allowed port',
    { answers: [a] },
    { pins: [pin(60)] },
  ),
  row('… with max(TTL, floor)', { answers: [{ ...a, ttl: 1 }] }, { pins: [pin(30)] }),
  row(
    '… with max(TTL, floor): no ceiling',
    { answers: [{ ...a, ttl: 2 ** 31 - 1 }] },
    { pins: [pin(2 ** 31 - 1)] },
  ),
  row('… whatever its owner', { answers: [{ ...a, owner: ['attacker', 'net'] }] }, { pins: [pin(60)] }),
  row('… class', { answers: [{ ...a, class: 3 }] }, { pins: [pin(60)] }),
  row(
    'other records and AUTHORITY/ADDITIONAL are relayed',
    { additional: [a] },
    { pins: [], answer: reply({ additional: [a] }) },
  ),
  row(
    'a failed pin is logged and the record still answered',
    { answers: [a] },
    { answer: reply({ answers: [a] }) },
    true,
  ),
];
