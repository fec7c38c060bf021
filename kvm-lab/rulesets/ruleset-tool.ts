/** What the lab knows of a tool that makes rulesets: how it is told to make one, and where its guests sit. */
import { execFileSync } from 'node:child_process';
import type { GuestPlace } from './stored-ruleset.ts';

export interface RulesetTool {
  readonly name: string;
  /** Debian package that the ruleset comes from: its version is kept with the capture. */
  readonly debianPackage: string;
  /** What must be on the machine, as programs, and the packages that bring them. */
  readonly programs: Readonly<Record<string, string>>;
  readonly made: string;
  readonly place: GuestPlace;
  /** Folders that the tool writes to; it sees copies of them, which go with the capture. */
  readonly writes: readonly string[];
  /** Makes the ruleset in the network, mount and process namespaces that this process is in. */
  readonly install: () => void | Promise<void>;
}

const commandTimeoutMs = 30_000;

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Throws with the program's own words when it fails or takes too long. */
export function run(program: string, words: readonly string[], options: RunOptions = {}): string {
  return execFileSync(program, words, {
    encoding: 'utf8',
    timeout: commandTimeoutMs,
    input: options.input ?? '',
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export async function eventually(what: string, withinMs: number, probe: () => boolean): Promise<void> {
  const end = performance.now() + withinMs;
  while (!probe()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function succeeds(program: string, words: readonly string[]): boolean {
  try {
    run(program, words);
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

/** The network of the machine that the tool finds: one uplink, an address, a way out. */
export const world = {
  uplink: 'eth0',
  far: 'world',
  mac: '02:00:00:00:00:10',
  address: '172.20.0.10/24',
  gateway: '172.20.0.1',
} as const;

export function buildWorld(): void {
  const { uplink, far, mac, address, gateway } = world;
  const lines = [
    'link set lo up',
    `link add ${uplink} address ${mac} type veth peer name ${far} netns ${far}`,
    `link set ${uplink} up`,
    `addr add ${address} brd + dev ${uplink}`,
    `route add default via ${gateway}`,
  ];
  run('ip', ['netns', 'add', far]);
  run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
  run('ip', ['-n', far, 'link', 'set', far, 'up']);
}

/** A tap of ours where a VMM would put its own. */
export function addTap(name: string, more: readonly string[]): void {
  const lines = [`tuntap add dev ${name} mode tap`, ...more, `link set ${name} up`];
  run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
}

export const guestMac = '02:00:00:00:00:02';
