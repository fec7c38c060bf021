/** Rulesets into the kernel and out of it again, by nft, in the network namespace of this process. */
import { execFileSync, type StdioOptions } from 'node:child_process';
import { readRuleset } from '#properties/oracles/nft/netlink/read-ruleset.ts';
import type { Ruleset } from '#properties/oracles/nft/ruleset.ts';
import { beginTable, watchingTables } from './watching-tables.ts';

const commandTimeoutMs = 60_000;
const maxRepairs = 8;

export type Loading = { readonly text: string } | { readonly refused: string };

/**
 * Loads the ruleset between the watching tables, without the rules that nft refuses (they ask for two
 * protocols at once). `refused`: it refuses more than that.
 */
export function loadRuleset(text: string, devices: readonly string[]): Loading {
  const head = `flush ruleset\n${watchingTables(devices)}\n`;
  let lines = `${head}${text}\n`.split('\n');
  let refused: string | null = null;
  for (let tries = 0; tries < maxRepairs; tries += 1) {
    refused = refusal(['-f', '-'], lines.join('\n'));
    if (refused === null) return { text: lines.slice(head.split('\n').length - 1).join('\n') };
    const words = /(\d+):\S+ Error: (?:conflicting|cannot use|Can't parse)/g;
    const at = new Set([...refused.matchAll(words)].map(([, line]) => Number(line)));
    if (at.size === 0) break;
    lines = lines.filter((_, i) => !at.has(i + 1));
  }
  return { refused: (refused ?? '').split('\n').slice(0, 3).join(' | ') };
}

/** Adds what iptables-restore makes of it; returns what it says against it, or null. */
export function addIptables(text: string): string | null {
  try {
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe'];
    execFileSync('iptables-nft-restore', ['--noflush'], { input: text, timeout: commandTimeoutMs, stdio });
    return null;
  } catch (error) {
    return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  }
}

/** What nft says against it; null: it is loaded. */
function refusal(words: readonly string[], text: string): string | null {
  try {
    execFileSync('nft', words, { input: text, timeout: commandTimeoutMs, stdio: ['pipe', 'pipe', 'pipe'] });
    return null;
  } catch (error) {
    return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  }
}

interface Listed {
  readonly nftables: (
    | { chain?: { hook?: string; table: string; name: string; dev?: string } }
    | { metainfo: object }
  )[];
}

/** As newer versions of nft write it: with the devices, which 1.0.6 leaves out. null: nft fails to list it. */
export function listedJson(tap: string): string | null {
  let text: string;
  try {
    text = execFileSync('nft', ['-j', 'list', 'ruleset'], {
      encoding: 'utf8',
      timeout: commandTimeoutMs,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    // 1.0.6 aborts by an assertion on some raw payload matches that it loaded itself.
    if (error instanceof Error && 'signal' in error && error.signal === 'SIGABRT') return null;
    throw error;
  }
  const listed = JSON.parse(text) as Listed;
  for (const entry of listed.nftables) {
    const chain = 'chain' in entry ? entry.chain : undefined;
    if (chain?.hook === 'ingress') chain.dev = chain.table === beginTable ? chain.name : tap;
  }
  return JSON.stringify(listed);
}

/** nft's own listing, loaded again, is another ruleset: it left out what decides. */
export function isLossy(before: Ruleset, listing: string): boolean {
  const listed = JSON.parse(listing) as Listed;
  const again = {
    nftables: [{ flush: { ruleset: null } }, ...listed.nftables.filter((entry) => !('metainfo' in entry))],
  };
  return (
    refusal(['-j', '-f', '-'], JSON.stringify(again)) !== null || rulesOf(before) !== rulesOf(readRuleset())
  );
}

function rulesOf(ruleset: Ruleset): string {
  const chains = ruleset.tables.flatMap(({ name, chains }) =>
    [...chains.values()].map((chain) => [
      name,
      chain.name,
      chain.rules.map(({ expressions }) => expressions),
    ]),
  );
  return JSON.stringify(chains.sort()).replace(/__(set|map)\d+/g, '$1');
}
