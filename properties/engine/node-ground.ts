/** An engine on the fake VMM with a node socket, husks in processes of their own, and forkds that are no forkd. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { NodeSocketOptions } from '#reference/forkd/node-socket.ts';
import type { NodeAddress } from '#reference/husk/node-link.ts';
import type { Lie } from './engine-guest.ts';

const own = (name: string) => new URL(`./${name}.ts`, import.meta.url).pathname;
export const uid = process.getuid?.() ?? 0;
export const gid = process.getgid?.() ?? 0;

export const addressIn = (folder: string): NodeAddress => ({ path: `${folder}/node.sock`, uid });

export const socketIn = (folder: string, more: Partial<NodeSocketOptions> = {}): NodeSocketOptions => ({
  path: `${folder}/node.sock`,
  peers: [{ uid, gid }],
  ...more,
});

/** Descriptors of this process. */
export const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

/** A process that says lines and takes lines. */
export class Talker {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;

  constructor(program: string, parameters: readonly string[]) {
    this.child = spawn(process.execPath, [own(program), ...parameters], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#ended = once(this.child, 'close');
    if (this.child.stdout === null) throw new Error('it has no stdout');
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** `ended`: it says nothing more. */
  async hear(): Promise<string> {
    const { value, done } = await this.#lines.next();
    return done === true ? 'ended' : value;
  }

  say(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  async end(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#ended;
  }
}

export interface HuskOrders {
  readonly address: NodeAddress;
  readonly snapshot: string;
  readonly lie: Lie;
  /** null: the node's; else a folder that the husk keeps a store of its own in. */
  readonly ownStore: string | null;
}

/** Prepared; told `activate`, it says what came of it. */
export async function huskProcess(orders: HuskOrders): Promise<Talker> {
  const husk = new Talker('node-husk', [JSON.stringify(orders)]);
  const said = await husk.hear();
  if (said === 'dormant') return husk;
  await husk.end();
  throw new Error(`a husk said: ${said}`);
}

/** @returns what each of them said of its activation, at the same time */
export async function activateAll(husks: readonly Talker[]): Promise<string[]> {
  for (const husk of husks) husk.say('activate');
  const said = await Promise.all(husks.map((husk) => husk.hear()));
  for (const husk of husks) await husk.end();
  return said;
}
