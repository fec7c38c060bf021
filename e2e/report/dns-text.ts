/** What `pnpm check dns` found, would send and publishes, as text for people. */
import type { Checked, ClaimAnswer, PartAnswer } from '../blackbox/dns/claims-of-server.ts';
import type { ServerState } from '../blackbox/dns/controls.ts';
import { endpointText } from '../blackbox/dns/endpoint.ts';
import type { Names } from '../blackbox/dns/names.ts';
import { failures, isMissing, type Missing, type Outcome, type Part } from '../blackbox/dns/part.ts';
import type { Settings } from '../blackbox/dns/settings.ts';
import { claimSentences } from './dns-words.ts';
import { counted, type Style, table } from './terminal.ts';

type Paint = (style: Style, text: string) => string;

const styleOf = (outcome: Outcome): Style =>
  outcome === 'holds' ? 'green' : failures.has(outcome) ? 'red' : 'yellow';
const outcomes: readonly Outcome[] = [
  'holds',
  'falsified',
  'hung',
  'crashed',
  'garbage',
  'flood',
  'unsupported',
  'not-run',
];

export interface DnsReport {
  readonly checked: Checked;
  readonly settings: Settings;
  readonly upstream: string;
  readonly replay: string;
  readonly replayOf: (part: PartAnswer) => string;
  readonly seconds: number;
}

const shownOfClaim = 3;

const stateWords: Readonly<Record<ServerState, string>> = {
  answers: 'answers',
  refuses: 'is not there',
  dead: 'is dead',
  deaf: 'is deaf',
  slow: 'is slow',
  garbage: 'answers garbage',
  floods: 'floods',
  'does not forward': 'does not forward',
  'answers otherwise': 'answers otherwise',
};

export function dnsText(report: DnsReport, paint: Paint): string {
  const { checked, settings, upstream, replay, seconds } = report;
  const { claims, server, cutOff, questions } = checked;
  const rows = claims.map(({ claim, outcome, parts }) => [
    claim,
    outcome,
    tally(parts),
    claimSentences[claim],
  ]);
  const shown = table([['claim', 'outcome', 'parts', 'never'], ...rows], (cell, row, column) => {
    if (row === 0) return paint('bold', cell);
    return column === 1 ? paint(styleOf(cell.trim() as Outcome), cell) : cell;
  });
  const state =
    server.state === 'answers'
      ? []
      : [paint('red', `The server ${stateWords[server.state]}: ${server.reason}`), `  ${server.give}`, ''];
  const summary = outcomes
    .map((outcome) => [outcome, claims.filter((one) => one.outcome === outcome).length] as const)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ');
  return [
    paint('bold', `${endpointText(settings.server)}, whose upstream is ours at ${upstream}`),
    '',
    ...state,
    shown,
    '',
    ...claims.flatMap((claim) => details(claim, report, paint)),
    ...(cutOff === null ? [] : [paint('yellow', `Cut off: ${cutOff}. What was not asked is not-run.`)]),
    `${counted(claims.length, 'claim')}: ${summary}. ${counted(questions, 'question')} in ${seconds.toFixed(1)} s, seed ${settings.seed}.`,
    `Again: ${replay}`,
  ].join('\n');
}

function tally(parts: readonly PartAnswer[]): string {
  const held = parts.filter(({ outcome }) => outcome === 'holds').length;
  const skipped = parts.filter(({ outcome }) => outcome === 'unsupported' || outcome === 'not-run').length;
  const asked = parts.length - skipped;
  const left = skipped === 0 ? '' : `, ${skipped} not asked`;
  return asked === 0 ? 'none asked' : `${held} of ${asked} hold${left}`;
}

function details({ claim, parts }: ClaimAnswer, { replayOf }: DnsReport, paint: Paint): string[] {
  const failing = parts.filter(({ outcome }) => failures.has(outcome));
  const lines = failing
    .slice(0, shownOfClaim)
    .flatMap((part) => [
      `${paint('bold', `${claim} ${part.id}`)}: ${paint('red', part.outcome)}`,
      `  sent      ${part.sends}`,
      `  never     ${part.never}`,
      `  clause    ${part.clause}`,
      `  observed  ${part.observed}`,
      ...(part.hex === undefined ? [] : [`  hex       ${shortened(part.hex)}`]),
      `  replay    ${replayOf(part)}`,
      '',
    ]);
  const more = failing.length - shownOfClaim;
  if (more > 0) lines.push(`… and ${counted(more, 'more part')} of ${claim}; all with --json.`, '');
  const skipped = Map.groupBy(
    parts.filter(({ outcome }) => outcome === 'unsupported' || outcome === 'not-run'),
    ({ outcome, observed, give = '' }) => `${outcome}, ${observed}${give === '' ? '' : `\n  give ${give}`}`,
  );
  for (const [words, own] of skipped) {
    const what = own.length === 1 ? `${claim} ${own[0]?.id}` : `${claim}, ${counted(own.length, 'part')}`;
    lines.push(`${paint('bold', what)}: ${words}`, '');
  }
  return lines;
}

const shownHex = 160;
const shortened = (hex: string) =>
  hex.length <= shownHex ? hex : `${hex.slice(0, shownHex)}… (whole with --json)`;

/** Nothing was sent, no socket opened. */
export function dryRunText(parts: readonly (Part | Missing)[], names: Names, settings: Settings): string {
  const lines = parts.flatMap((part) => {
    if (isMissing(part)) return [`${part.claim} ${part.id}: would not be asked, ${part.reason}`];
    const { guest, upstream } = part.messages(names);
    return [
      `${part.claim} ${part.id}: ${part.sends}`,
      ...guest.map((hex) => `  guest     ${shortened(hex)}`),
      ...upstream.map((hex) => `  upstream  ${shortened(hex)}`),
    ];
  });
  const asked = parts.filter((part) => !isMissing(part)).length;
  const { server, perSecond, durationMs } = settings;
  return [
    `Would ask ${endpointText(server)} ${counted(asked, 'part')}, at most ${perSecond} questions a second and`,
    `${durationMs / 1_000} s, beside controls and what the upstream answers. Nothing was sent.`,
    '',
    ...lines,
  ].join('\n');
}
