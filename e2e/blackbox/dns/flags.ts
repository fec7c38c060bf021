/** The flags of `pnpm check dns` as settings; each refused with what is valid, before anything is sent. */
import { isIP } from 'node:net';
import type { Labels } from '#properties/models/dns-message.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { claimsNamed } from '../chosen-parts.ts';
import { claimIds } from './claim-ids.ts';
import { endpointText, isLoopback, parseEndpoint } from './endpoint.ts';
import { entryOf } from './parts/labels.ts';
import type { NamedSet, Settings } from './settings.ts';

export interface DnsFlags {
  readonly server?: string;
  readonly upstreamListen?: string;
  readonly domain?: string;
  readonly allow?: readonly string[];
  readonly denyCidr?: readonly string[];
  readonly nat64Prefix?: readonly string[];
  readonly nftSet?: readonly string[];
  readonly netns?: string;
  readonly tcp?: true;
  readonly claim?: readonly string[];
  readonly part?: readonly string[];
  readonly iOwnThisTarget?: true;
}

/** Numbers that the command line has parsed. */
export interface DnsNumbers {
  readonly perSecond: number;
  readonly durationMs: number;
  readonly timeoutMs: number;
  readonly waitMs: number;
  readonly seed: number;
  readonly runs: number;
}

/** RFC 2606: nobody's name, and no resolver answers it by itself. */
export const defaultDomain = 'huskproof.example';

function refuse(what: string, valid: string): never {
  throw new CodedError('bad-dns-flag', what, valid);
}

/** Throws CodedError `bad-dns-flag`, `unknown-claim`. */
export function settingsOf(flags: DnsFlags, numbers: DnsNumbers): Settings {
  const { server, upstreamListen, netns, part } = flags;
  if (server === undefined) refuse('no server was named', 'name it: --server 127.0.0.1:53');
  const target = parseEndpoint('--server', server);
  if (upstreamListen === undefined && !isLoopback(target)) {
    refuse(
      'a server off loopback cannot ask an upstream on loopback',
      'say where the upstream listens: --upstream-listen ADDR:PORT, an address that the server reaches',
    );
  }
  const ownLoopback = target.address.includes(':') ? '[::1]:0' : '127.0.0.1:0';
  const upstream = parseEndpoint('--upstream-listen', upstreamListen ?? ownLoopback, 0);
  return {
    server: target,
    upstream,
    domain: parseDomain(flags.domain ?? defaultDomain),
    allow: (flags.allow ?? []).map(parseAllow),
    policy: {
      denyCIDRs: (flags.denyCidr ?? []).map((text) => parsePrefix('--deny-cidr', text)),
      nat64Prefixes: (flags.nat64Prefix ?? []).map(parseNat64),
      pinPrivateCIDRs: [],
    },
    overTcp: flags.tcp === true,
    claims: claimsNamed(claimIds, flags.claim ?? [], 'dns'),
    parts: part === undefined || part.length === 0 ? null : part,
    nftSets: parseSets(flags.nftSet ?? []),
    netns,
    ...numbers,
  };
}

/** Throws CodedError `not-your-target`: what is not on this machine is asked only by its owner. */
export function checkOwner({ server, upstream }: Pick<Settings, 'server' | 'upstream'>, own: boolean): void {
  if (own) return;
  const foreign = [server, upstream].find((endpoint) => !isLoopback(endpoint));
  if (foreign === undefined) return;
  throw new CodedError(
    'not-your-target',
    `${endpointText(foreign)} is not on loopback: malformed messages and a burst would reach it`,
    'say that it is yours with --i-own-this-target; --dry-run shows what would be sent',
  );
}

function parseDomain(text: string): Labels {
  const labels = text.replace(/\.$/, '').split('.');
  const sound = labels.every((label) => /^[a-z0-9_-]{1,63}$/i.test(label)) && text.length <= 120;
  return sound
    ? labels
    : refuse(
        `--domain ${text} is no name`,
        'write labels of letters, digits, - and _, such as huskproof.example',
      );
}

function parseAllow(text: string): string {
  return entryOf(text) === null
    ? refuse(
        `--allow ${text} is no entry of an allowlist of names`,
        'write name or *.name, as the server’s allowlist has it',
      )
    : text;
}

function parsePrefix(flag: string, text: string): string {
  const [address = '', length = '', more] = text.split('/');
  const family = isIP(address);
  const sound =
    family !== 0 &&
    more === undefined &&
    /^\d{1,3}$/.test(length) &&
    Number(length) <= (family === 4 ? 32 : 128);
  return sound ? text : refuse(`${flag} ${text} is no prefix`, 'write 10.96.0.0/12 or fd00::/8');
}

const translatorLengths = [32, 40, 48, 56, 64, 96];

function parseNat64(text: string): string {
  const prefix = parsePrefix('--nat64-prefix', text);
  const length = Number(prefix.split('/')[1]);
  return prefix.includes(':') && translatorLengths.includes(length)
    ? prefix
    : refuse(
        `--nat64-prefix ${text} is no prefix of a translator`,
        `RFC 6052 knows /${translatorLengths.join(' /')}`,
      );
}

function parseSets(words: readonly string[]): NamedSet[] {
  if (words.length % 3 !== 0) {
    refuse(
      `--nft-set ${words.join(' ')} names no set`,
      'write FAMILY TABLE SET, such as inet filter pins4; again for the next',
    );
  }
  return Array.from({ length: words.length / 3 }, (_, index) => {
    const [family = '', table = '', set = ''] = words.slice(3 * index, 3 * index + 3);
    return { family, table, set };
  });
}
