/** A counterexample in words: who sends what to whom, where it ends, and the chain that let it pass. */
import type { Counterexample, Visit } from './counterexample.ts';

const protocols: Readonly<Record<string, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6' };

/** `TCP 192.168.122.2:40000 → 172.20.0.10:9443, new, from 02:00:00:00:00:02 on virbr0: delivered`. */
export function packetWords({ fields, device, frame, outcome, confirmed }: Counterexample): string {
  const { saddr, daddr, protocol = '', sport, dport, fragment } = fields;
  const state = fields['ct state'];
  const from = fields['ether saddr'];
  const where = device === null ? 'sent by this host' : `from ${from} on ${device}`;
  const tag = fields['vlan tag'] ?? fields['vlan tags'];
  const words = [
    saddr === undefined || daddr === undefined
      ? linkWords(frame)
      : `${protocols[protocol] ?? `protocol ${protocol}`} ${ends(saddr, sport, protocol)} → ${ends(daddr, dport, protocol)}`,
    ...(state === undefined ? [] : [`${state}`]),
    ...(tag === undefined ? [] : [`with VLAN tag (${tag})`]),
    ...(fragment === undefined ? [] : [fragment]),
    where,
  ];
  const doubt = confirmed
    ? ''
    : ' (not confirmed by deciding the frame: it rests on what cannot be known here)';
  return `${words.join(', ')}: ${outcome}${doubt}`;
}

function ends(address: string, port: string | undefined, protocol: string): string {
  const withPort = protocol === '6' || protocol === '17';
  if (!withPort) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Of ARP: what it claims. */
function linkWords(hex: string): string {
  const frame = Buffer.from(hex, 'hex');
  if (frame.length < 42 || frame.readUInt16BE(12) !== 0x0806) return 'a frame that is not IP';
  const address = (at: number) => [...frame.subarray(at, at + 4)].join('.');
  const kind = frame.readUInt16BE(20) === 1 ? 'request' : 'message';
  return `ARP ${kind}, ${address(28)} asks for ${address(38)}`;
}

/**
 * The chains that are open when the packet is let pass, outermost first: jumps that came back are left out.
 * Only hooks where something looked at it.
 */
export function pathWords(path: readonly Visit[]): string[] {
  const lines: string[] = [];
  let open: Visit[] = [];
  for (const visit of path) {
    while (open.length > 0 && open.at(-1)?.verdict.split(' ')[1] !== visit.chain.split(' ').at(-1))
      open.pop();
    const jumps = /^(jump|goto) /.test(visit.verdict);
    if (jumps) {
      open = [...open, visit];
      continue;
    }
    if (visit.verdict === 'return') continue;
    const [family = '', table = '', ...chain] = visit.chain.split(' ');
    const chains = [...open.map((one) => one.chain.split(' ').slice(2).join(' ')), chain.join(' ')];
    const rule =
      visit.handle === null ? `policy ${visit.verdict}` : `rule ${visit.handle}: ${ruleEnd(visit)}`;
    lines.push(`${visit.hook}: ${family} ${table} ${chains.join(' → ')}, ${rule}`);
    open = [];
  }
  return lines;
}

function ruleEnd({ rule, verdict }: Visit): string {
  return rule.endsWith(verdict) ? rule : `${rule} (${verdict})`;
}
