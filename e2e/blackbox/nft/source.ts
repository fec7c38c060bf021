/** Where a ruleset comes from: a listing, a capture, or a named network namespace. Looks, never changes anything. */
import { readFileSync } from 'node:fs';
import { type Capture, readCapture } from '#kvm-lab/rulesets/stored-ruleset.ts';
import { readJson, UnreadableRuleset } from '#properties/oracles/nft/json/read-json.ts';
import { UnreadableValue } from '#properties/oracles/nft/json/values.ts';
import type { Ruleset } from '#properties/oracles/nft/ruleset.ts';
import type { Topology } from '#properties/oracles/nft/topology.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { type NftFlags, parseDevice } from './flags.ts';
import { readNamespace } from './namespace.ts';

export interface Source {
  readonly name: string;
  /** null: only the flags say. */
  readonly topology: Topology | null;
  readonly bridgePorts: Readonly<Record<string, string>>;
  /** What the source itself says where flags are silent. */
  readonly defaults: NftFlags;
  readonly ruleset: (topology: Topology) => Ruleset;
}

export async function readSource(flags: NftFlags): Promise<Source> {
  const { ruleset, netns } = flags;
  if ((ruleset === undefined) === (netns === undefined)) {
    throw new CodedError(
      'bad-nft-flag',
      'one ruleset is judged at a time',
      'give either --ruleset FILE.json (nft -j list ruleset > FILE.json) or --netns NAME',
    );
  }
  if (ruleset !== undefined) return readFile(ruleset, flags.ingressDev ?? []);
  const read = await readNamespace(netns as string);
  return { ...read, name: `the network namespace ${netns}`, defaults: {}, ruleset: () => read.ruleset };
}

function unreadable(path: string, why: string, remedy: string, cause?: unknown): CodedError {
  return new CodedError('bad-ruleset', `${path}: ${why}`, remedy, { cause });
}

const listingRemedy = 'give the output of nft -j list ruleset';

function readFile(path: string, ingress: readonly string[]): Source {
  const text = textOf(path);
  const capture = readCaptured(path, jsonOf(path, text));
  if (capture !== null) {
    const { topology, bridgePorts, place, tool, version, ruleset } = capture;
    const { tap, guest, guestMac, ...rest } = place;
    const defaults = { ...rest, tap: [tap], guest: [guest], guestMac: [guestMac] };
    return { name: `${tool} (${version})`, topology, bridgePorts, defaults, ruleset: () => ruleset };
  }
  const ingressDevices = ingress.map((name) => parseDevice('--ingress-dev', name));
  return {
    name: path,
    topology: null,
    bridgePorts: {},
    defaults: {},
    ruleset: (topology) => listed(path, text, topology, ingressDevices),
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw unreadable(path, `cannot be read (${code})`, 'name a file that is there and readable', cause);
  }
}

function jsonOf(path: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw unreadable(path, 'is not JSON', `${listingRemedy}, with -j`, cause);
  }
}

/** A file that has to be a capture. Throws CodedError `bad-ruleset`. */
export function captureOf(path: string): Capture {
  const capture = readCaptured(path, jsonOf(path, textOf(path)));
  if (capture === null) throw unreadable(path, 'is no capture', 'capture it: pnpm lab rulesets');
  return capture;
}

function readCaptured(path: string, json: unknown): Capture | null {
  try {
    return readCapture(json);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw unreadable(path, cause.message, 'capture it anew: pnpm lab rulesets', cause);
  }
}

/** Beyond every index of a topology: a device that is not in it receives nothing. */
const firstUnknownIndex = 1_000_000;

function listed(path: string, text: string, topology: Topology, ingressDevices: readonly string[]): Ruleset {
  const unknown: string[] = [];
  const indexOf = (name: string): number => {
    const found = topology.devices.find((device) => device.name === name);
    if (found !== undefined) return found.index;
    if (!unknown.includes(name)) unknown.push(name);
    return firstUnknownIndex + unknown.indexOf(name);
  };
  try {
    return readJson(text, { ingressDevices, indexOf });
  } catch (cause) {
    if (cause instanceof UnreadableRuleset) throw unreadable(path, cause.message, cause.remedy, cause);
    if (cause instanceof UnreadableValue || cause instanceof RangeError || cause instanceof TypeError) {
      throw unreadable(path, cause.message, listingRemedy, cause);
    }
    throw cause;
  }
}
