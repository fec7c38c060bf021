/** What `pnpm check nft` found, as text for people. */
import type { Checked, ClaimAnswer } from '../blackbox/nft/claims-of-ruleset.ts';
import type { PartAnswer } from '../blackbox/nft/judge.ts';
import { packetWords, pathWords } from '../blackbox/nft/packet-words.ts';
import type { Seen, SendPlan } from '../blackbox/nft/send.ts';
import { counted, type Style, table } from './terminal.ts';

type Paint = (style: Style, text: string) => string;

const styles: Readonly<Record<ClaimAnswer['outcome'], Style>> = {
  holds: 'green',
  falsified: 'red',
  unsupported: 'yellow',
};

export interface NftReport extends Checked {
  readonly source: string;
  readonly replay: string;
  /** Files of the counterexamples by claim and part; empty without --pcap. */
  readonly files: ReadonlyMap<string, string>;
}

export const partKey = (claim: string, name: string) => `${claim} ${name}`;

export function nftText(report: NftReport, paint: Paint): string {
  const { claims, assumptions, source, replay } = report;
  const rows = claims.flatMap(({ claim, outcome, parts, ms }) => [
    [claim, outcome, `${ms} ms`, ''],
    ...parts.map((part) => ['', part.outcome, '', `never: ${part.never}`]),
  ]);
  const shown = table([['claim', 'outcome', 'time', 'part'], ...rows], (cell, row, column) => {
    if (row === 0) return paint('bold', cell);
    const style = column === 1 ? styles[cell.trim() as ClaimAnswer['outcome']] : undefined;
    return style === undefined ? cell : paint(style, cell);
  });
  const details = claims.flatMap((answer) =>
    answer.parts.flatMap((part) => detail(answer, part, report, paint)),
  );
  const summary = (['holds', 'falsified', 'unsupported'] as const)
    .map((outcome) => `${claims.filter((one) => one.outcome === outcome).length} ${outcome}`)
    .join(', ');
  return [
    `${paint('bold', source)}`,
    '',
    shown,
    '',
    ...details,
    'Within these assumptions:',
    ...assumptions.map((text) => `  ${text}`),
    '',
    `${counted(claims.length, 'claim')}: ${summary}. Nothing was sent to find this.`,
    `Again: ${replay}`,
  ].join('\n');
}

function detail(answer: ClaimAnswer, part: PartAnswer, report: NftReport, paint: Paint): string[] {
  if (part.outcome === 'holds') return [];
  const head = `${paint('bold', `${answer.claim} ${part.name}`)}`;
  if (part.outcome === 'unsupported') {
    return [`${head}: unsupported, ${part.reason}`, `  give ${part.give}`, ''];
  }
  const { packet } = part;
  const file = report.files.get(partKey(answer.claim, part.name));
  const path = pathWords(packet.path);
  return [
    head,
    `  never   ${part.never}`,
    `  packet  ${packetWords(packet)}`,
    ...(path.length === 0
      ? ['  path    no chain looks at it']
      : path.map((line, i) => `  ${i === 0 ? 'path  ' : '      '}  ${line}`)),
    `  hex     ${packet.frame}`,
    ...(file === undefined ? [] : [`  pcap    ${file}`]),
    '',
  ];
}

/** `seen` null: only what would be sent. */
export function sendText(
  { target, device, from, shots, notSent }: SendPlan,
  seen: readonly Seen[] | null,
): string {
  const where = `on ${device} in ${from}, towards ${target}`;
  const head =
    seen === null
      ? `Would send ${counted(shots.length, 'frame')} ${where}; nothing was sent:`
      : `Sent ${seen.length} of ${counted(shots.length, 'frame')} ${where}; what the target counted meanwhile:`;
  const lines =
    seen === null
      ? shots.map(({ claim, part, frame }) => `  ${claim} ${part}  ${frame}`)
      : seen.map(({ claim, part, counted: counts }) => {
          const words = Object.entries(counts).map(([name, difference]) => `${name} +${difference}`);
          return `  ${claim} ${part}  ${words.length === 0 ? 'nothing' : words.join(', ')}`;
        });
  return ['', head, ...lines, ...notSent.map((text) => `  not sent: ${text}`)].join('\n');
}
