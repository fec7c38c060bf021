/**
 * findings.md F1, "Messages": "every A/AAAA in ANSWER is filtered and pinned for each allowed port with
 * max(TTL, floor), whatever its owner, class or type; other records and AUTHORITY/ADDITIONAL are relayed;
 * the record's TTL is returned unchanged; a failed pin is logged and the record still answered".
 */
import type { Bind } from '../../protocol/decision.ts';
import type { dnsBuild } from '../../protocol/dns-build.ts';
import { portsOf } from './dns-allowlist.ts';
import { readLeniently, writeMessage } from './dns-message.ts';
import { bind as bindPinAddress } from './pin-address.ts';

/** Shared with `vulnerable`, which differs in the address filter alone. */
export function buildWith(bindFilter: typeof bindPinAddress): Bind<typeof dnsBuild> {
  return (config) => {
    const filter = bindFilter(config);
    return ({ query, reply, outcomes }) => {
      const guest = readLeniently(Buffer.from(query, 'hex'));
      const parsed = readLeniently(Buffer.from(reply, 'hex'));
      if (guest === null || parsed === null)
        return { pins: [], answer: null, refused: [], rule: 'unreadable' };
      const ports = portsOf(config.allow, guest.questions[0]?.name ?? '');
      const pins: ReturnType<ReturnType<Bind<typeof dnsBuild>>>['pins'] = [];
      const refused: { address: string; rule: string }[] = [];
      const answers = parsed.answers.filter(({ type, data, ttl }) => {
        const isAddress = (type === 1 && data.length === 4) || (type === 28 && data.length === 16);
        if (!isAddress) return true;
        const address = textOf(data);
        const { verdict, pinnedAs = address, rule } = filter({ address });
        if (verdict === 'refuse') {
          refused.push({ address, rule });
          return false;
        }
        const ttlSeconds = Math.max(ttl, config.ttlFloorSeconds);
        for (const port of ports) pins.push({ address: pinnedAs, ...port, ttlSeconds });
        return true;
      });
      const answer =
        outcomes === null && pins.length > 0
          ? null
          : Buffer.from(writeMessage({ ...parsed, id: guest.id, answers })).toString('hex');
      return { pins, answer, refused, rule: 'filtered and relayed' };
    };
  };
}

function textOf(data: Uint8Array): string {
  if (data.length === 4) return data.join('.');
  const groups = (Buffer.from(data).toString('hex').match(/.{4}/g) ?? []).map((group) =>
    Number.parseInt(group, 16).toString(16),
  );
  const text = groups.join(':');
  const [longest] = [...text.matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)].sort(
    (a, b) => b[0].length - a[0].length,
  );
  if (longest === undefined) return text;
  const rest = text.slice(longest.index + longest[0].length).replace(/^:/, '');
  return `${text.slice(0, longest.index).replace(/:$/, '')}::${rest}`;
}

export const bind: Bind<typeof dnsBuild> = buildWith(bindPinAddress);
