/** What `pnpm check dns` found, would send and publishes, as text for people. */

import { isMissing } from '../blackbox/chosen-parts.ts';
import type { Checked } from '../blackbox/dns/claims-of-server.ts';
import type { ServerState } from '../blackbox/dns/controls.ts';
import { endpointText } from '../blackbox/dns/endpoint.ts';
import type { Names } from '../blackbox/dns/names.ts';
import type { Missing, Part } from '../blackbox/dns/part.ts';
import type { Settings } from '../blackbox/dns/settings.ts';
import type { PartAnswer } from '../blackbox/finding.ts';
import { claimSentences } from './dns-words.ts';
import { claimDetails, claimTable, type Paint, shortened, summaryOf } from './parts-text.ts';
import { counted } from './terminal.ts';

export interface DnsReport {
  readonly checked: Checked;
  readonly settings: Settings;
  readonly upstream: string;
  readonly replay: string;
  readonly replayOf: (part: PartAnswer) => string;
  readonly seconds: number;
}

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
  const { checked, settings, upstream, replay, replayOf, seconds } = report;
  const { claims, server, cutOff, questions } = checked;
  const state =
    server.state === 'answers'
      ? []
      : [paint('red', `The server ${stateWords[server.state]}: ${server.reason}`), `  ${server.give}`, ''];
  return [
    paint('bold', `${endpointText(settings.server)}, whose upstream is ours at ${upstream}`),
    '',
    ...state,
    claimTable(claims, claimSentences, paint),
    '',
    ...claims.flatMap((claim) => claimDetails(claim, replayOf, paint)),
    ...(cutOff === null ? [] : [paint('yellow', `Cut off: ${cutOff}. What was not asked is not-run.`)]),
    `${counted(claims.length, 'claim')}: ${summaryOf(claims)}. ${counted(questions, 'question')} in ${seconds.toFixed(1)} s, seed ${settings.seed}.`,
    `Again: ${replay}`,
  ].join('\n');
}

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
