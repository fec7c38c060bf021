/**
 * F1 on a real kernel: the question, what the hostile upstream said, the pins, and the connection that follows, for
 * the three subjects on the same input.
 * Invariant: every line was seen on the wire or in the kernel's sets during the attack's window; the control passed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ClaimStatement } from '#properties/claims/claim.ts';
import type { CellRecord } from '#properties/matrix/record.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import type { DnsAttack } from '../attacks/dns-attack.ts';
import { dnsShowpieces } from '../attacks/dns-catalogue.ts';
import { storyLines, type Told } from '../fixtures/dns-story.ts';
import { dnsStoryFile } from '../fixtures/run-dns-attack.ts';
import { planAttacks } from '../kernel-tier/plan-attacks.ts';
import { runAttacks } from '../kernel-tier/run-attacks.ts';
import type { Style } from '../report/terminal.ts';

export interface DnsTelling {
  readonly record: CellRecord;
  /** null: it did not get so far; the record says why. */
  readonly story: readonly Told[] | null;
  readonly effects: readonly string[];
}

export interface DnsReproduction {
  readonly kind: 'dns';
  readonly claim: ClaimStatement;
  readonly attack: Pick<DnsAttack, 'id' | 'statement' | 'source' | 'shows'>;
  readonly control: string;
  /** One for each subject that has such an input. */
  readonly tellings: readonly DnsTelling[];
  readonly seed: number;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

function tellingOf(record: CellRecord): DnsTelling {
  const file = `${root}${record.evidence?.folder}/${dnsStoryFile}`;
  if (record.evidence === undefined || !existsSync(file)) return { record, story: null, effects: [] };
  return { record, ...(JSON.parse(readFileSync(file, 'utf8')) as Omit<DnsTelling, 'record'>) };
}

/** @throws Error when no attack over the wire stands for the claim */
export async function reproduceDns(
  claim: ClaimStatement,
  seed: number,
  signal: AbortSignal,
): Promise<DnsReproduction> {
  const attack = dnsShowpieces.get(claim.id);
  if (attack === undefined) throw new Error(`${claim.id} has no attack at tier kernel`);
  const records = await runAttacks(planAttacks([claim], builtInSubjects, seed), signal, () => undefined);
  const { id, statement, source, shows, control = 'pinned A' } = attack;
  const told = { tellings: records.map(tellingOf), seed };
  return { kind: 'dns', claim, attack: { id, statement, source, shows }, control, ...told };
}

const styles: Readonly<Record<string, Style>> = { holds: 'green', falsified: 'yellow' };
const maxLines = 24;
const indent = ' '.repeat(14);

export function dnsReproductionBlock(
  { claim, attack, control, tellings, seed }: DnsReproduction,
  paint: (style: Style, text: string) => string,
): string {
  const line = (name: string, text: string) => `  ${name.padEnd(12)}${text}`;
  const told = tellings.flatMap(({ record, story, effects }) => {
    const said = record.reason ?? `${effects.length} effects`;
    const outcome = paint(styles[record.outcome] ?? 'red', record.outcome.padEnd(10));
    const lines = storyLines(story ?? []);
    const rest = lines.length > maxLines ? [`${indent}and ${lines.length - maxLines} more lines`] : [];
    return [
      line(
        record.subject,
        `${outcome} ${record.outcome === 'holds' ? 'nothing, during the whole window' : said}`,
      ),
      ...lines.slice(0, maxLines).map((words) => `${indent}${words}`),
      ...rest,
      ...effects.slice(0, 4).map((effect) => `${indent}${paint('yellow', `so ${effect}`)}`),
      line('', `again: ${paint('cyan', record.replay)}`),
    ];
  });
  const passed =
    'a question was answered, its pin stood and a connection by it was accepted, before and after';
  return [
    paint('bold', `${claim.id}  ${claim.statement}`),
    line(
      'tier',
      'kernel: a proxy, a hostile upstream and a guest in network namespaces; this machine’s kernel',
    ),
    line('attack', `${attack.id}: ${attack.statement}`),
    line('source', attack.source),
    line('shows', attack.shows),
    ...told,
    line('control', `${control}: ${passed}`),
    line('replay', paint('cyan', `pnpm repro ${claim.id} --seed ${seed}`)),
  ].join('\n');
}
