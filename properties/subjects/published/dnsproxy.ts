/**
 * The published DNS proxy on the wire: findings.md F1, "Messages, the same in vulnerable and published". Its
 * decisions are those of the decision tier; here they meet sockets and `nft`. What was not observed is taken
 * plainly: a socket for each question, as its language's library does, and SERVFAIL when no upstream answers.
 */
import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { promisify } from 'node:util';
import type { Bind } from '../../protocol/decision.ts';
import type { dnsBuild } from '../../protocol/dns-build.ts';
import { defaultDnsPolicy } from '../../protocol/dns-policy.ts';
import type { DnsPlace, DnsPolicyOrder, DnsSandboxOrder, DrivenDnsProxy } from '../dnsproxy-protocol.ts';
import { bind as bindQuery } from './dns-query.ts';
import { bind as bindReply } from './dns-reply.ts';
import { type DnsListener, listenTcp, listenUdp } from './dnsproxy-listeners.ts';

/** What its language's DNS library waits unless told otherwise. */
const upstreamTimeoutMs = 2_000;
const commandTimeoutMs = 10_000;
const run = promisify(execFile);
const serverFailure = 2;

type Transport = 'udp' | 'tcp';
type Pin = ReturnType<ReturnType<Bind<typeof dnsBuild>>>['pins'][number];

interface Standing {
  readonly sandbox: DnsSandboxOrder;
  readonly listeners: readonly DnsListener[];
  policy: DnsPolicyOrder;
}

/** Of the operator's lists nothing is read: they did not exist. */
const configOf = ({ allow, ipv6 }: DnsPolicyOrder, ttlFloorSeconds: number) => ({
  ...defaultDnsPolicy,
  ...{ allow: [...allow], ipv6, ttlFloorSeconds },
});

export class PublishedDnsProxy implements DrivenDnsProxy {
  readonly #upstreams: readonly DnsPlace[];
  readonly #bindBuild: Bind<typeof dnsBuild>;
  readonly #ttlFloorSeconds: number;
  readonly #standing = new Map<string, Standing>();

  constructor(bindBuild: Bind<typeof dnsBuild>, upstreams: readonly DnsPlace[], ttlFloorSeconds: number) {
    this.#bindBuild = bindBuild;
    this.#upstreams = upstreams;
    this.#ttlFloorSeconds = ttlFloorSeconds;
  }

  async attach(sandbox: DnsSandboxOrder): Promise<void> {
    const listeners: DnsListener[] = [];
    const standing: Standing = { sandbox, listeners, policy: sandbox.policy };
    for (const place of sandbox.listen) {
      listeners.push(await listenUdp(place, (message) => this.#answer(standing, message, 'udp')));
      listeners.push(await listenTcp(place, (message) => this.#answer(standing, message, 'tcp')));
    }
    this.#standing.set(sandbox.tap, standing);
  }

  /** "re-applying a narrower policy leaves the wider accepts in front": what is pinned stays. */
  async policy(tap: string, policy: DnsPolicyOrder): Promise<void> {
    this.#known(tap).policy = policy;
  }

  /** The v4 set goes with the datapath's rules; "never deletes the v6 set at teardown". */
  async detach(tap: string): Promise<void> {
    const { listeners } = this.#known(tap);
    this.#standing.delete(tap);
    for (const listener of listeners) await listener.close();
  }

  async metrics(): Promise<string> {
    return '';
  }

  async stop(): Promise<void> {
    for (const tap of [...this.#standing.keys()]) await this.detach(tap);
  }

  #known(tap: string): Standing {
    const found = this.#standing.get(tap);
    if (found === undefined) throw new RangeError(`no sandbox stands at ${tap}`);
    return found;
  }

  async #answer(standing: Standing, message: Buffer, transport: Transport): Promise<Buffer | null> {
    const { sandbox } = standing;
    const config = configOf(standing.policy, this.#ttlFloorSeconds);
    const query = message.toString('hex');
    const asked = bindQuery(config)({ message: query, transport, random: { id: 0, caseBits: '' } });
    if (asked.message === undefined) return null;
    if (asked.verdict === 'answer') return Buffer.from(asked.message, 'hex');
    // "the guest's message is forwarded to the first upstream that answers, as it came"
    const reply = await this.#firstAnswer(Buffer.from(asked.message, 'hex'), config);
    if (reply === null) return failureFor(message);
    // Not observed, so taken in its favour: a policy that changed meanwhile is the one that counts.
    const build = this.#bindBuild(configOf(standing.policy, this.#ttlFloorSeconds));
    const planned = build({ query, reply, transport, outcomes: null });
    const outcomes = [];
    for (const pin of planned.pins) outcomes.push(await this.#pin(sandbox, pin));
    const { answer } = planned.answer === null ? build({ query, reply, transport, outcomes }) : planned;
    return answer === null ? failureFor(message) : Buffer.from(answer, 'hex');
  }

  /** "one process each"; "a failed pin is logged and the record still answered". */
  async #pin({ sets }: DnsSandboxOrder, { address, protocol, port, ttlSeconds }: Pin) {
    const set = address.includes(':') ? sets.ipv6 : sets.ipv4;
    const element = `{ ${address} . ${protocol} . ${port} timeout ${ttlSeconds}s }`;
    const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
    try {
      const words = ['add', 'element', 'inet', sets.table, set, element];
      await run('nft', words, { timeout: commandTimeoutMs, env: { ...process.env, PATH: path } });
      return { address, pinned: true, remainingSeconds: ttlSeconds };
    } catch (error) {
      process.stderr.write(`pin ${element}: ${error instanceof Error ? error.message : error}\n`);
      return { address, pinned: false, remainingSeconds: 0 };
    }
  }

  async #firstAnswer(message: Buffer, config: ReturnType<typeof configOf>): Promise<string | null> {
    for (const upstream of this.#upstreams) {
      const reply = await exchange(message, upstream, config);
      if (reply !== null) return reply;
    }
    return null;
  }
}

/** Reply in hex, or null when none came in time. "ID and server address are checked"; what differs is passed over. */
function exchange(
  message: Buffer,
  upstream: DnsPlace,
  config: ReturnType<typeof configOf>,
): Promise<string | null> {
  const judge = bindReply(config);
  const query = message.toString('hex');
  return new Promise((resolve) => {
    let socket: Socket | null = createSocket('udp4');
    const give = (reply: string | null) => {
      clearTimeout(timer);
      socket?.close();
      socket = null;
      resolve(reply);
    };
    const timer = setTimeout(() => give(null), upstreamTimeoutMs);
    socket.on('error', () => give(null));
    socket.on('message', (data, { address, port }) => {
      if (socket === null) return;
      const reply = data.toString('hex');
      const from = { address, port };
      const { verdict } = judge({ query, sentTo: upstream, reply, from, transport: 'udp' });
      if (verdict === 'accept') give(reply);
    });
    socket.send(message, upstream.port, upstream.address);
  });
}

function failureFor(message: Buffer): Buffer {
  const answer = Buffer.from(message);
  answer.writeUInt16BE(0x8000 | (message.readUInt16BE(2) & 0x7910) | serverFailure, 2);
  return answer;
}
