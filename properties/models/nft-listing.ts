/** What `nft -j list ruleset` would write of a state, with devices named; and its text without handles. */
import type { Json, NftState, StoredSet, StoredTable } from './nft-state.ts';

/** For the reader of `properties/oracles/nft/json`. */
export function listingOf({ tables }: NftState): string {
  const entries: Json[] = [...tables.values()].map(({ family, name }) => ({ table: { family, name } }));
  for (const table of tables.values()) {
    const at = { family: table.family, table: table.name };
    for (const { name, base } of table.chains.values()) entries.push({ chain: { ...at, name, ...base } });
    for (const set of table.sets.values()) {
      const elem = [...set.elements.values()].map((element) => element.elem);
      entries.push({ [set.kind]: { ...at, name: set.name, ...set.properties, elem } });
    }
  }
  for (const { family, name: table, chains } of tables.values()) {
    for (const { name: chain, rules } of chains.values()) {
      for (const { handle, expr } of rules) entries.push({ rule: { family, table, chain, handle, expr } });
    }
  }
  return JSON.stringify({ nftables: entries });
}

/** Of two states the same text exactly when they hold the same, however they came to it: a line an object. */
export function contentOf({ tables }: NftState): string[] {
  return [...tables.values()].flatMap(tableLines).sort();
}

function tableLines({ family, name, chains, sets }: StoredTable): string[] {
  const at = `${family} ${name}`;
  return [
    `table ${at}`,
    ...[...chains.values()].map((chain) => {
      const rules = chain.rules.map(({ expr }) => JSON.stringify(expr));
      return `chain ${at} ${chain.name} ${JSON.stringify(chain.base)} { ${rules.join('; ')} }`;
    }),
    ...[...sets.values()].map((set) => `${set.kind} ${at} ${set.name} ${setText(set)}`),
  ];
}

function setText({ properties, elements }: StoredSet): string {
  const keys = [...elements].map(([key, { data }]) => `${key}${data === '' ? '' : ` : ${data}`}`).sort();
  return `${JSON.stringify(properties)} { ${keys.join(', ')} }`;
}
