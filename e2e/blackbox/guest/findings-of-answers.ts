/** What an answer means for a part: how it broke, whether it was refused. */
import { type Finding, holds } from '../finding.ts';
import { objectIn } from './agent-session.ts';
import type { Heard } from './line-channel.ts';

const shownChars = 120;
const quoted = (text: string) => text.slice(0, shownChars).replace(/[^\x20-\x7e]/g, '?');

/** What broke instead of answering; null: it is a JSON object on a line. */
export function brokenBy(heard: Heard): Finding | null {
  switch (heard.fate) {
    case 'silent': {
      const half = heard.held === 0 ? '' : `, but ${heard.held} octets without a newline`;
      return { outcome: 'hung', observed: `no answer within ${heard.ms} ms${half}` };
    }
    case 'closed':
      return { outcome: 'crashed', observed: `the agent closed the channel after ${heard.ms} ms` };
    case 'flood':
      return { outcome: 'flood', observed: `${heard.held} octets, and no newline` };
    case 'unasked': {
      const observed = `the agent speaks out of turn: ${heard.held} octets that nobody asked for`;
      return { outcome: 'garbage', observed, hex: heard.hex };
    }
    case 'line': {
      if (objectIn(heard) !== null) return null;
      const hex = Buffer.from(heard.line, 'latin1').toString('hex');
      return { outcome: 'garbage', observed: `a line that is no JSON object: ${quoted(heard.line)}`, hex };
    }
  }
}

export function errorIn(heard: Heard): string {
  const error = objectIn(heard)?.error;
  return typeof error === 'string' ? quoted(error) : 'without a reason';
}

/** @param granted what it means that it was done */
export function mustRefuse(heard: Heard, granted: string): Finding {
  const broken = brokenBy(heard);
  if (broken !== null) return broken;
  const ok = objectIn(heard)?.ok;
  if (ok === false) return holds(`refused: ${errorIn(heard)}`);
  if (ok === true) return { outcome: 'falsified', observed: granted };
  return { outcome: 'garbage', observed: 'an answer without ok' };
}

export function mustGrant(heard: Heard, what: string): Finding {
  const broken = brokenBy(heard);
  if (broken !== null) return broken;
  if (objectIn(heard)?.ok === true) return holds(what);
  return { outcome: 'falsified', observed: `refused: ${errorIn(heard)}` };
}
