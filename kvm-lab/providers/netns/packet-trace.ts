/**
 * Which rules decided about packets, as the kernel itself traced them (`meta nftrace`): a table of its own switches the
 * trace on and lets everything through. Invariant: it changes no verdict, and its events are bounded by a rate.
 */
import type { TracedPacket, TracedVerdict } from '../network-lab.ts';
import type { Namespace } from './namespace.ts';
import { type TraceEvent, TraceListener } from './trace-listener.ts';

const table = 'huskproof-trace';
/** The first packets tell; the rest of a flood would only fill the socket. */
const limit = 'limit rate 100/second burst 60 packets';

function tracing(devices: readonly string[]): string {
  const chains = devices.map(
    (device) =>
      `chain ${device} {\n type filter hook ingress device ${device} priority -600;\n ${limit} meta nftrace set 1\n}`,
  );
  return `table netdev ${table} {\n${chains.join('\n')}\n}\n`;
}

/** Of a listing with handles: `family table chain handle` → the rule as nft(8) writes it. */
function rulesOf(listing: string): Map<string, string> {
  const rules = new Map<string, string>();
  let inTable = '';
  let inChain = '';
  for (const line of listing.split('\n').map((text) => text.trim())) {
    const begun = /^(table|chain) (?:(\w+) )?(\S+) \{/.exec(line);
    if (begun?.[1] === 'table') inTable = begun[3] ?? '';
    else if (begun?.[1] === 'chain') inChain = unquoted(begun[3] ?? '');
    const rule = /^(.*) # handle (\d+)$/.exec(line);
    if (rule !== null && begun === null) rules.set(`${inTable} ${inChain} ${rule[2]}`, rule[1] ?? '');
  }
  return rules;
}

/** A listing without the table that traces: what the subject made. */
export function withoutTrace(listing: string): string {
  return listing.replace(new RegExp(`^table netdev ${table} \\{.*?^\\}\\n`, 'ms'), '');
}

const unquoted = (name: string) => name.replace(/^"(.*)"$/, '$1');

export class PacketTrace {
  readonly #namespace: Namespace;
  readonly #listener: TraceListener;
  readonly #rules: Map<string, string>;

  constructor(namespace: Namespace, devices: readonly string[]) {
    this.#namespace = namespace;
    this.#rules = this.#listed();
    namespace.run('nft', ['-f', '-'], tracing(devices));
    this.#listener = namespace.within(() => new TraceListener());
  }

  #listed(): Map<string, string> {
    return rulesOf(this.#namespace.run('nft', ['-a', 'list', 'ruleset']));
  }

  /** What was traced since the last call, in the order in which it came. */
  take(): TracedPacket[] {
    const events = this.#listener.take();
    // A change of policy meanwhile made rules that were not there before.
    for (const [place, rule] of events.length === 0 ? [] : this.#listed()) {
      if (!this.#rules.has(place)) this.#rules.set(place, rule);
    }
    const packets: { headers: Buffer; verdicts: TracedVerdict[] }[] = [];
    const current = new Map<number, TracedVerdict[]>();
    // A rule without a handle is the end of a chain: what follows it says more.
    for (const event of events.filter(({ type, handle }) => type !== 'rule' || handle > 0)) {
      if (event.table === table) {
        if (event.type !== 'rule') continue;
        const verdicts: TracedVerdict[] = [];
        current.set(event.packet, verdicts);
        const { link, network, transport } = event;
        const headers = Buffer.concat([link, network, transport].flatMap((part) => part ?? []));
        packets.push({ headers, verdicts });
      } else current.get(event.packet)?.push(this.#verdict(event));
    }
    return packets;
  }

  #verdict({ table: name, chain, handle, type, verdict, target }: TraceEvent): TracedVerdict {
    const rule =
      type === 'rule' ? (this.#rules.get(`${name} ${chain} ${handle}`) ?? `handle ${handle}`) : null;
    return { chain: `${name} ${chain}`, rule, verdict: target === '' ? verdict : `${verdict} ${target}` };
  }

  close(): void {
    this.#listener.close();
  }
}
