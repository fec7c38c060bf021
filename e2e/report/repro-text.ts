/** Reproductions as text: the input, what each subject did with it and by which rule, what is required, the replay. */
import type { KernelTelling, PacketReproduction } from '../repro/kernel-reproduction.ts';
import type { DecisionReproduction, NotReproduced } from '../repro/repro.ts';
import type { Style } from './terminal.ts';

type Paint = (style: Style, text: string) => string;

const style: Record<string, Style> = { holds: 'green', falsified: 'yellow', crashed: 'red', garbage: 'red' };

export function decisionBlock(
  reproduction: DecisionReproduction,
  paint: (style: Style, text: string) => string,
): string {
  const { claim, found, observations } = reproduction;
  const line = (name: string, text: string) =>
    `  ${name.padEnd(12)}${text.split('\n').join(`\n${' '.repeat(14)}`)}`;
  const lines = [paint('bold', `${claim.id}  ${claim.statement}`), line('source', claim.source)];
  if (found?.evidence === undefined) {
    return [
      ...lines,
      line('not found', paint('red', 'no counterexample within the runs: give more with --runs')),
    ].join('\n');
  }
  lines.push(line('input', found.evidence.case));
  if (found.subject.startsWith('mutant:'))
    lines.push(line('found by', `${found.subject}, a reference with one line changed`));
  const toldBySubjects = observations.some(({ did }) => did.includes('\n'));
  if (!toldBySubjects) for (const step of found.evidence.steps ?? []) lines.push(`              ${step}`);
  for (const [index, { subject, did, outcome }] of observations.entries()) {
    const before = observations[index - 1];
    const told = did.includes('\n') && did === before?.did ? `as ${before.subject}` : did;
    lines.push(line(subject, `${paint(style[outcome] ?? 'dim', outcome.padEnd(10))} ${told}`));
  }
  lines.push(line('required', `${found.evidence.required}  [${found.evidence.requiredRule}]`));
  const closed = observations.filter(({ control }) => control !== null);
  const open = 'the path was open: the positive control passed on every subject';
  lines.push(
    line(
      'control',
      closed.length === 0 ? open : closed.map(({ subject, control }) => `${subject}: ${control}`).join('; '),
    ),
  );
  lines.push(line('replay', paint('cyan', found.replay)));
  return lines.join('\n');
}

export function notRunBlock({ claim, wanted, reason, remedy }: NotReproduced, paint: Paint): string {
  const title = paint('bold', `${claim.id}  ${claim.statement}`);
  return `${title}\n${paint('yellow', `  tier ${wanted} was not run: ${reason}`)}\n  remedy      ${remedy}`;
}

const maxPacketsShown = 2;
const hexColumns = 96;

/** Packets, then what the rules of each subject said of them, and what happened. */
export function packetsBlock({ claim, attack, tellings, seed }: PacketReproduction, paint: Paint): string {
  const packets = tellings[0]?.story?.packets ?? [];
  const shown = packets.slice(0, maxPacketsShown);
  const lines = [
    paint('bold', `${claim.id}  ${claim.statement}`),
    line('tier', 'kernel: network namespaces, nf_tables, a tap; this machine’s kernel'),
    line('attack', `${attack.id}: ${attack.statement}`),
    line('source', attack.source),
    ...shown.map(({ words, hex }, index) => line(`packet ${index + 1}`, `${words}\n${hexText(hex)}`)),
  ];
  const rest = Math.max(0, ...tellings.map(({ story }) => (story?.packets.length ?? 0) + (story?.more ?? 0)));
  if (rest > shown.length) lines.push(line('', `… ${rest - shown.length} more, in guest.pcap`));
  for (const telling of tellings) lines.push(...tellingLines(telling, shown, paint));
  lines.push(line('control', controlText(tellings)), line('evidence', evidenceText(tellings)));
  lines.push(line('replay', paint('cyan', `pnpm repro ${claim.id} --seed ${seed}`)));
  return lines.join('\n');
}

function line(name: string, text: string): string {
  return `  ${name.padEnd(12)}${text.split('\n').join(`\n${' '.repeat(14)}`)}`;
}

const hexText = (hex: string) => hex.match(new RegExp(`.{1,${hexColumns}}`, 'g'))?.join('\n') ?? '';

function tellingLines(
  { record, story }: KernelTelling,
  packets: readonly { readonly hex: string }[],
  paint: Paint,
): string[] {
  const mark = record.asExpected ? '' : paint('red', ` (EXPECTED ${record.expected})`);
  const outcome = `${paint(style[record.outcome] ?? 'dim', record.outcome.padEnd(10))}${mark}`;
  if (story === null) return [line(record.subject, `${outcome} ${record.reason ?? ''}`)];
  const [first, ...others] = story.effects;
  const lines = [line(record.subject, `${outcome} ${first ?? 'nothing happened, during the whole window'}`)];
  for (const effect of others.slice(0, 2)) lines.push(line('', effect));
  if (others.length > 2) lines.push(line('', `… and ${others.length - 2} more effects`));
  for (const [index, { hex }] of packets.entries()) {
    const verdicts = story.packets.find((packet) => packet.hex === hex)?.verdicts;
    lines.push(line('', `packet ${index + 1}: ${verdictText(verdicts)}`));
  }
  return lines;
}

const maxVerdicts = 5;

/** The rule that dropped it; else each chain that let it pass. */
function verdictText(verdicts: readonly string[] | null | undefined): string {
  if (verdicts === undefined || verdicts === null) return 'not traced';
  if (verdicts.length === 0) return 'no rule looks at it, so it passes';
  const last = verdicts.at(-1) ?? '';
  if (/\bdrop\b/.test(last)) return `dropped by  ${last}`;
  const passed = verdicts.filter((verdict) => !/ (goto|jump) |\((goto|jump)/.test(verdict));
  return ['passed', ...passed.slice(-maxVerdicts)].join('\n            ');
}

function controlText(tellings: readonly KernelTelling[]): string {
  const closed = tellings.filter(({ story }) => story === null || story.controlBeforeMs === null);
  if (closed.length > 0) return `not open on ${closed.map(({ record }) => record.subject).join(', ')}`;
  const windows = tellings.map(({ story }) => Math.round(story?.windowMs ?? 0));
  return `the same path, used rightly, was open before on every subject; windows ${windows.join(', ')} ms`;
}

function evidenceText(tellings: readonly KernelTelling[]): string {
  const folders = tellings.flatMap(({ record }) => record.evidence?.folder ?? []);
  return [...folders, 'in each: guest.pcap, pod.pcap, world.pcap, ruleset.nft, tables.json, story.json'].join(
    '\n',
  );
}
