/** What the kernel's sets hold of a server that pins: read with nft, here or in its namespace. Reads only. */
import { execFile } from 'node:child_process';
import { isIP } from 'node:net';
import { addressNumber, addressText } from '#properties/oracles/addresses/address-number.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { namespacePath } from '../nft/namespace.ts';
import type { NamedSet, Settings } from './settings.ts';

/** Addresses, with the seconds that each has left; null: it stays. */
export type Pinned = ReadonlyMap<string, number | null>;

const timeoutMs = 10_000;
const maxOctets = 64 * 1024 * 1024;

/** Throws CodedError `no-set`. */
export async function readPinned({ nftSets, netns }: Pick<Settings, 'nftSets' | 'netns'>): Promise<Pinned> {
  const found = new Map<string, number | null>();
  const chosen = nftSets.length === 0 ? [null] : nftSets;
  for (const set of chosen) {
    for (const [address, left] of pinnedIn(await listed(set, netns))) found.set(address, left);
  }
  return found;
}

function listed(set: NamedSet | null, netns: string | undefined): Promise<unknown> {
  const words = ['-j', 'list', ...(set === null ? ['ruleset'] : ['set', set.family, set.table, set.set])];
  const [program, all] =
    netns === undefined ? ['nft', words] : ['nsenter', [`--net=${namespacePath(netns)}`, 'nft', ...words]];
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  return new Promise((resolve, reject) => {
    execFile(program, all, { timeout: timeoutMs, maxBuffer: maxOctets, env }, (cause, stdout, stderr) => {
      if (cause === null) {
        resolve(JSON.parse(stdout));
        return;
      }
      const what = set === null ? 'the ruleset' : `the set ${set.family} ${set.table} ${set.set}`;
      reject(
        new CodedError(
          'no-set',
          `${what} cannot be read: ${stderr.trim().split('\n')[0] || cause.message}`,
          'name it as nft list sets shows it, with --netns where it is elsewhere; run as root',
          { cause },
        ),
      );
    });
  });
}

interface Element {
  readonly val?: unknown;
  readonly expires?: number;
  readonly concat?: readonly unknown[];
}

/** Of `nft -j`: an element is a text, a concatenation, or `{elem: {val, expires}}` of either. */
export function pinnedIn(json: unknown): [string, number | null][] {
  const { nftables = [] } = json as { nftables?: readonly { set?: { elem?: readonly unknown[] } }[] };
  return nftables.flatMap(({ set }) =>
    (set?.elem ?? []).flatMap((entry): [string, number | null][] => {
      const inner = (entry as { elem?: Element }).elem;
      const value = inner?.val ?? entry;
      const first = (value as Element).concat?.[0] ?? value;
      if (typeof first !== 'string' || isIP(first) === 0) return [];
      return [[addressText(addressNumber(first)), inner?.expires ?? null]];
    }),
  );
}
