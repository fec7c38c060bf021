/** The target `dns-peers` of `pnpm test:fuzz`: our reader beside two that nobody here wrote. */
import { writeFileSync } from 'node:fs';
import { loadCodec } from '#properties/fuzz/dns/codec.ts';
import {
  type DifferentialOptions,
  type DifferentialOutcome,
  differential,
} from '#properties/fuzz/dns/peers/differential.ts';
import { dnsPacketPeer } from '#properties/fuzz/dns/peers/dns-packet.ts';
import { startDnspython, type Unsupported } from '#properties/fuzz/dns/peers/dnspython.ts';
import { knownDifferences } from '#properties/fuzz/dns/peers/known-differences.ts';
import { measuredPeersFile } from '#properties/fuzz/dns/peers/measured-peers.ts';
import { counted, groupDigits, type painter, table } from '../report/terminal.ts';

export interface PeersRun extends DifferentialOutcome {
  readonly unsupported: Unsupported | null;
}

/** Every peer that is here; the process of the other is ended, whatever happens. */
export async function runPeers(options: DifferentialOptions): Promise<PeersRun> {
  const codec = await loadCodec();
  const python = await startDnspython();
  const peers = 'read' in python ? [dnsPacketPeer, python] : [dnsPacketPeer];
  try {
    const outcome = await differential(codec, peers, options);
    return { ...outcome, unsupported: 'read' in python ? null : python };
  } finally {
    for (const peer of peers) await peer.close();
  }
}

/** Keeps what was measured for docs/dns-peers.md. */
export function recordPeers(
  { results }: PeersRun,
  run: { readonly seed: number; readonly runs: number },
): void {
  writeFileSync(measuredPeersFile, `${JSON.stringify({ ...run, results }, null, 1)}\n`);
}

const shownHex = 1_200;

export function peersText(run: PeersRun, seconds: number, paint: ReturnType<typeof painter>): string {
  const { results, findings, unsupported } = run;
  const said: string[] = [];
  const rows = results.flatMap(({ peer, version, messages, alike, bothRefuse, known }) => [
    [`${peer} ${version}`, 'messages', groupDigits(messages)],
    ['', 'both read it, alike', groupDigits(alike)],
    ['', 'both refuse it', groupDigits(bothRefuse)],
    ...Object.entries(known).map(([id, count]) => ['', `known: ${whyOf(peer, id)}`, groupDigits(count)]),
  ]);
  said.push(table(rows.map(([peer = '', what = '', count = '']) => [`  ${peer}`, count.padStart(9), what])));
  if (unsupported !== null) {
    said.push(paint('yellow', `unsupported: dnspython, ${unsupported.unsupported}; ${unsupported.remedy}`));
  }
  for (const { peer, difference, message, seed, path } of findings) {
    said.push(
      paint('red', `unknown difference from ${peer}: ${difference}`),
      `  message   ${message.slice(0, shownHex)}${message.length > shownHex ? '…' : ''}`,
      `  replay    pnpm test:fuzz dns-peers --seed ${seed} --path ${path}`,
    );
  }
  const messages = results.reduce((sum, one) => sum + one.messages, 0);
  const speed = groupDigits(Math.round(messages / seconds));
  const outcome = findings.length === 0 ? paint('green', 'holds') : paint('red', 'falsified');
  said.push(
    `${outcome}: ${counted(messages, 'reading')} compared, ${seconds.toFixed(1)} s (${speed} readings/s).`,
  );
  return said.join('\n');
}

function whyOf(peer: string, id: string): string {
  return knownDifferences.find((row) => row.peer === peer && row.id === id)?.why ?? id;
}
