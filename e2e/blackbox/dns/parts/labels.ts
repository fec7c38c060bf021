/** F1.labels: an allowlist entry matches by labels. Only of a server whose allowlist was told. */
import { type Labels, query, textOfLabels, types } from '#properties/models/dns-message.ts';
import { type Finding, holds } from '../../finding.ts';
import { alwaysAnswers, exchangePart } from '../exchange-part.ts';
import type { Missing, Part } from '../part.ts';
import { answerWords } from '../received.ts';
import type { Settings } from '../settings.ts';
import { type Exchange, honestAddress, honestPlay, type Stage } from '../stage.ts';

interface Entry {
  readonly text: string;
  readonly labels: Labels;
  readonly wildcard: boolean;
}

/** `[tcp|udp://]name[:port]`; what is an address or a range says nothing of names. */
export function entryOf(text: string): Entry | null {
  const host = text.replace(/^(tcp|udp):\/\//, '').replace(/:\d{1,5}$/, '');
  const wildcard = host.startsWith('*.');
  const labels = (wildcard ? host.slice(2) : host).split('.').map((label) => label.toLowerCase());
  const sound = labels.every((label) => /^[a-z0-9_-]{1,63}$/.test(label)) && /[a-z]/.test(host);
  return sound ? { text, labels, wildcard } : null;
}

const plainLabel = /^[a-z0-9_-]{1,63}$/i;

/** LDH and underscore in every label, compared one by one. */
function allowed(entries: readonly Entry[], name: Labels): boolean {
  if (!name.every((label) => plainLabel.test(label))) return false;
  const own = name.map((label) => label.toLowerCase());
  return entries.some(({ labels, wildcard }) => {
    const tail = own.slice(-labels.length);
    const same = tail.length === labels.length && tail.every((label, index) => label === labels[index]);
    return same && (wildcard ? own.length > labels.length : own.length === labels.length);
  });
}

/** `own` is the part's label, so that a name is known again; null: the entry allows one name only. */
function tricks({ labels, wildcard }: Entry): readonly [id: string, name: (own: string) => Labels][] {
  const [first = '', ...rest] = labels;
  const dotted = labels.join('.');
  const common: [string, (own: string) => Labels][] = [
    ['suffix-of-label', (own) => [`${own}${first}`, ...rest]],
    ['allowed-as-prefix', (own) => [...labels, own, 'test']],
    ['whole-name-in-a-label', (own) => [`${own}.${dotted}`.slice(0, 63)]],
    ['dot-in-last-label', (own) => [own, ...labels.slice(0, -2), labels.slice(-2).join('.')]],
    ['nul-ends-name', (own) => [own, ...labels.slice(0, -1), `${labels.at(-1)}\0`]],
    ['nul-then-allowed', (own) => [`${own}\0`, ...labels]],
    ['parent', (own) => [own, ...rest]],
  ];
  if (!wildcard) return [...common, ['child-of-exact', (own) => [own, ...labels]]];
  return [
    ...common,
    ['dot-joins-labels', (own) => [`${own}.${first}`, ...rest]],
    ['dot-in-first-label', (own) => [`${own}.x`, ...labels]],
    ['dot-ends-label', (own) => [`${own}.`, ...labels]],
    ['escape', (own) => [`${own}\\046`, ...labels]],
    ['space', (own) => [`${own} x`, ...labels]],
    ['star', (own) => ['*', own, ...labels]],
    ['slash', (own) => [`${own}/x`, ...labels]],
    ['high-octet', (own) => [`${own}\u00f6`, ...labels]],
    ['kelvin-sign', (own) => [`${own}\u00e2\u0084\u00aa`, ...labels]],
    ['control', (own) => [`${own}\r\n`, ...labels]],
  ];
}

function judge({ heard, answer }: Exchange, stage: Stage, own: string, asked: Labels): Finding {
  const text = textOfLabels(asked);
  const reached = stage.upstream.seen(own).find(({ name }) => name.length > 0);
  if (reached !== undefined) {
    return {
      outcome: 'falsified',
      observed: `${text} is forwarded as ${textOfLabels(reached.name)}`,
      hex: reached.hex,
    };
  }
  if (answer !== null && answer.addresses.length > 0) {
    return { outcome: 'falsified', observed: `${text}: ${answerWords(answer)}` };
  }
  return holds(heard.answer === null ? 'no answer' : answerWords(answer));
}

export function labelParts({ allow }: Settings): (Part | Missing)[] {
  const entries = allow.map(entryOf).filter((entry) => entry !== null);
  const never = 'a name matches an entry of the allowlist without being one of its names';
  if (entries.length === 0) {
    const reason = 'nobody said what the server allows';
    return [
      { claim: 'F1.labels', id: 'labels', never, reason, give: '--allow ENTRY, as its allowlist has it' },
    ];
  }
  const open = entries.filter(({ wildcard }) => wildcard).map((entry) => openPart(entry));
  const closed = entries.flatMap((entry) =>
    tricks(entry).flatMap(([id, name]) => {
      const sample = name('own');
      if (allowed(entries, sample) || sample.some((label) => label.length > 63)) return [];
      return [trickPart(entry, id, name, never)];
    }),
  );
  return [...open, ...closed];
}

function trickPart(entry: Entry, id: string, name: (own: string) => Labels, never: string): Part {
  const asks = (given: Labels) => name(given[0] ?? '');
  return exchangePart({
    claim: 'F1.labels',
    id: `labels/${entry.text}/${id}`,
    sends: `${textOfLabels(name('own'))} beside the entry ${entry.text}`,
    never,
    clause: 'RFC 1035 section 3.1, RFC 4343',
    asks,
    guest: (asked) => query(asked, types.a),
    play: honestPlay,
    judge: (exchange, stage, own) => judge(exchange, stage, own[0] ?? '', asks(own)),
  });
}

/** The path is open: one label, in upper case, under the entry. */
function openPart({ text, labels }: Entry): Part {
  return exchangePart({
    claim: 'F1.labels',
    id: `labels/${text}/allowed`,
    sends: `a name under ${text}, in upper case`,
    never: 'an allowed name is refused',
    clause: 'RFC 4343',
    asks: (own) => [(own[0] ?? '').toUpperCase(), ...labels],
    guest: (asked) => query(asked, types.a),
    play: honestPlay,
    judge: alwaysAnswers(honestAddress[types.a]),
  });
}
