/** What `pnpm check guest` found and would do, as text for people. */

import { isMissing } from '../blackbox/chosen-parts.ts';
import type { PartAnswer } from '../blackbox/finding.ts';
import type { Checked } from '../blackbox/guest/claims-of-guest.ts';
import { ofFork } from '../blackbox/guest/endpoint.ts';
import type { Missing, Part } from '../blackbox/guest/part.ts';
import type { Settings } from '../blackbox/guest/settings.ts';
import { claimSentences } from './guest-words.ts';
import { claimDetails, claimTable, type Paint, summaryOf } from './parts-text.ts';
import { counted } from './terminal.ts';

export interface GuestReport {
  readonly checked: Checked;
  readonly target: string;
  readonly settings: Settings;
  readonly replay: string;
  readonly replayOf: (part: PartAnswer) => string;
  readonly seconds: number;
}

const evidence =
  'Octets that are shown were drawn in forks made to be tested: they are evidence, and nobody’s secret.';

const isComparison = ({ id, outcome }: PartAnswer) =>
  outcome === 'holds' && /^siblings\/(exec|read)/.test(id);

/** Nobody said which fork a command reads. */
const forksByItself = ({ fork, agents }: Settings) => fork === null && agents.length === 0;
const assumption = 'Each run of --read was taken for a fork of its own: nothing shows that it is one.';

export function guestText(report: GuestReport, paint: Paint): string {
  const { checked, target, settings, replay, replayOf, seconds } = report;
  const { claims, cutOff, requests, forks, left } = checked;
  const held = claims.flatMap(({ parts }) => parts.filter(isComparison));
  const showsOctets =
    held.length > 0 || claims.some(({ parts }) => parts.some(({ hex }) => hex !== undefined));
  return [
    paint('bold', target),
    '',
    claimTable(claims, claimSentences, paint),
    '',
    ...held.map(({ claim, id, observed }) => `${claim} ${id}: ${observed}`),
    ...(held.length === 0 ? [] : ['']),
    ...claims.flatMap((claim) => claimDetails(claim, replayOf, paint)),
    ...(showsOctets ? [evidence] : []),
    ...(forksByItself(settings) ? [assumption] : []),
    ...(showsOctets || forksByItself(settings) ? [''] : []),
    ...(cutOff === null ? [] : [paint('yellow', `Cut off: ${cutOff}. What was not asked is not-run.`)]),
    ...left.map((what) => paint('yellow', `Left behind: ${what}`)),
    `${counted(claims.length, 'claim')}: ${summaryOf(claims)}. ${counted(forks, 'fork')}, ${counted(requests, 'request')} in ${seconds.toFixed(1)} s, seed ${settings.seed}.`,
    `Again: ${replay}`,
  ].join('\n');
}

export function targetText({ agents, fork, read, readProcess }: Settings): string {
  const commands = [...read, ...readProcess];
  const parts = [
    ...(fork === null ? [] : [`forks by ${fork}`]),
    ...(agents.length === 0 ? [] : [`agents at ${agents.join(', ')}`]),
    ...(commands.length === 0 ? [] : [`read by ${commands.join('; ')}`]),
  ];
  return parts.join('; ');
}

/** Nothing was sent, no command was run. */
export function guestDryRun(parts: readonly (Part | Missing)[], settings: Settings): string {
  const { fork, end, perSecond, durationMs, forks } = settings;
  const lines = parts.flatMap((part) => {
    if (isMissing(part)) return [`${part.claim} ${part.id}: would not be asked, ${part.reason}`];
    return [`${part.claim} ${part.id}: ${part.sends}`, ...part.shows.map((line) => `  ${line}`)];
  });
  const asked = parts.filter((part) => !isMissing(part)).length;
  const commands = [
    ...(fork === null ? [] : [`Each fork begins with: ${ofFork(fork, 1)}`]),
    ...(end === null ? [] : [`Each fork ends with: ${ofFork(end, 1)}`]),
  ];
  return [
    `Would ask ${targetText(settings)}: ${counted(asked, 'part')}, at most ${forks} forks, ${perSecond} requests a`,
    `second and ${durationMs / 1_000} s, beside pings. Nothing was sent, and no command was run.`,
    ...commands,
    '',
    ...lines,
  ].join('\n');
}
