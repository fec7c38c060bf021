/**
 * F1 on a real kernel: the question, what the hostile upstream said, the pins, and the connection that follows, for
 * the three subjects on the same input.
 * Invariant: every line was seen on the wire or in the kernel's sets during the attack's window; the control passed.
 */
import type { CellRecord } from '#properties/matrix/record.ts';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import type { DnsAttack } from '../attacks/dns-attack.ts';
import { dnsShowpieces } from '../attacks/dns-catalogue.ts';
import { storyLines, type Told } from '../fixtures/dns-story.ts';
import { runDnsAttack } from '../fixtures/run-dns-attack.ts';
import type { Style } from '../report/terminal.ts';

export interface DnsTelling {
  readonly record: CellRecord;
  /** null: it did not get so far; the record says why. */
  readonly story: readonly Told[] | null;
  readonly effects: readonly string[];
}

export interface DnsReproduction {
  readonly claim: `F1.${string}`;
  readonly attack: Pick<DnsAttack, 'id' | 'statement' | 'source' | 'shows'>;
  readonly control: string;
  /** One for each subject that has such an input. */
  readonly tellings: readonly DnsTelling[];
  readonly seed: number;
}

/** null: no attack over the wire stands for the claim. `signal`: between two subjects. */
export async function reproduceDns(
  claim: string,
  seed: number,
  signal: AbortSignal,
): Promise<DnsReproduction | null> {
  const attack = dnsShowpieces.get(claim);
  if (attack === undefined) return null;
  const tellings: DnsTelling[] = [];
  // Ports are drawn from the seed: it is never negative.
  const own = seed & 0x7fffffff;
  for (const subject of builtInSubjects) {
    if (attack.expected[subject] === 'no-input' || signal.aborted) continue;
    const { record, window } = await runDnsAttack(attack.id, subject, { seed: own });
    tellings.push({ record, story: window?.story ?? null, effects: window?.effects ?? [] });
  }
  const { id, statement, source, shows, control = 'pinned A' } = attack;
  return { claim: attack.claim, attack: { id, statement, source, shows }, control, tellings, seed: own };
}

const styles: Readonly<Record<string, Style>> = { holds: 'green', falsified: 'yellow' };
const maxLines = 24;
const indent = ' '.repeat(14);

export function dnsReproductionBlock(
  { claim, attack, control, tellings }: DnsReproduction,
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
    paint('bold', `${claim}  ${attack.statement}`),
    line('attack', attack.id),
    line('source', attack.source),
    line('shows', attack.shows),
    ...told,
    line('control', `${control}: ${passed}`),
  ].join('\n');
}
