/**
 * A captured ruleset as a file: what nfnetlink said (devices and xt parameters included), what
 * `nft -j list ruleset` said, the network around it, and where the tool puts its guests.
 */
import type { Chain, NftSet, Ruleset, StatefulObject, Table } from '#properties/oracles/nft/ruleset.ts';
import type { Topology } from '#properties/oracles/nft/topology.ts';

/** Where a guest sits in a captured ruleset: defaults for the flags of `pnpm check nft`. */
export interface GuestPlace {
  readonly tap: string;
  readonly guest: string;
  readonly guestMac: string;
  readonly resolver: string;
  readonly uplink: string;
  readonly allow: readonly string[];
  readonly inbound: readonly string[];
}

export interface Capture {
  readonly v: 1;
  readonly kind: 'huskproof-ruleset';
  readonly tool: string;
  /** Debian package and version that made the ruleset. */
  readonly version: string;
  /** How the tool was told to make it. */
  readonly made: string;
  readonly place: GuestPlace;
  readonly topology: Topology;
  readonly bridgePorts: Readonly<Record<string, string>>;
  readonly ruleset: Ruleset;
  /** What `nft -j list ruleset` wrote at the same time. */
  readonly listed: unknown;
}

interface StoredTable extends Omit<Table, 'chains' | 'sets' | 'objects'> {
  readonly chains: readonly Chain[];
  readonly sets: readonly NftSet[];
  readonly objects: readonly StatefulObject[];
}

const byteKeys = new Set(['info', 'value', 'first', 'last', 'and', 'xor', 'from', 'to']);

/** Octets as hex, one rule a line: a diff of two captures shows the rule that changed. */
export function captureText(capture: Capture): string {
  const { ruleset, topology, listed, ...head } = capture;
  const tables: StoredTable[] = ruleset.tables.map(({ chains, sets, objects, ...table }) => ({
    ...table,
    chains: [...chains.values()],
    sets: [...sets.values()],
    objects: [...objects.values()],
  }));
  const compact = (key: string, value: unknown) =>
    byteKeys.has(key) && Array.isArray(value) ? { hex: Buffer.from(value).toString('hex') } : value;
  const lines = tables.map(({ chains, ...table }) => {
    const listOfChains = chains.map(({ rules, ...chain }) => {
      const listOfRules = rules.map((rule) => `        ${JSON.stringify(rule, compact)}`).join(',\n');
      const opening = JSON.stringify(chain, compact).slice(0, -1);
      return `      ${opening}, "rules": [${listOfRules === '' ? '' : `\n${listOfRules}\n      `}]}`;
    });
    return `    ${JSON.stringify(table, compact).slice(0, -1)}, "chains": [\n${listOfChains.join(',\n')}\n    ]}`;
  });
  const opening = JSON.stringify(head, null, 2).replace(/\n\}$/, '');
  const devices = topology.devices.map((device) => `      ${JSON.stringify(device)}`).join(',\n');
  const { devices: _, ...otherTopology } = topology;
  const around = `${JSON.stringify(otherTopology).slice(0, -1)}, "devices": [\n${devices}\n    ]}`;
  return `${opening},\n  "topology": ${around},\n  "tables": [\n${lines.join(',\n')}\n  ],\n  "listed": ${JSON.stringify(listed)}\n}\n`;
}

/** null: the JSON is something else. Throws TypeError when it says that it is a capture and is not. */
export function readCapture(json: unknown): Capture | null {
  if (typeof json !== 'object' || json === null || !('kind' in json) || json.kind !== 'huskproof-ruleset') {
    return null;
  }
  const stored = reviveOctets(json) as Omit<Capture, 'ruleset'> & {
    readonly tables?: readonly StoredTable[];
  };
  if (stored.v !== 1 || !Array.isArray(stored.tables) || stored.topology === undefined) {
    throw new TypeError('a capture of another version, or not a whole one');
  }
  const { tables, ...rest } = stored as typeof stored & { readonly tables: readonly StoredTable[] };
  const byName = <T extends { readonly name: string }>(list: readonly T[]) =>
    new Map(list.map((one) => [one.name, one]));
  const ruleset = {
    tables: tables.map(({ chains, sets, objects, ...table }) => ({
      ...table,
      chains: byName(chains),
      sets: byName(sets),
      objects: byName(objects),
    })),
  };
  return { ...rest, ruleset };
}

function reviveOctets(json: object): unknown {
  return JSON.parse(JSON.stringify(json), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const { hex, ...others } = value as { readonly hex?: unknown };
    return typeof hex === 'string' && Object.keys(others).length === 0 ? [...Buffer.from(hex, 'hex')] : value;
  });
}
