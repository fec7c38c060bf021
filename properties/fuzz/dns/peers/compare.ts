/** Our reading of a message beside a peer's: the same, or how it differs, in words that fall into classes. */
import { types } from '../../../models/dns-message.ts';
import { textOfAddress } from '../../../oracles/dns/reply-oracle.ts';
import { foldCase, type ReadMessage, type ReadRecord } from '../../../oracles/dns/strict-reader.ts';
import type { PeerReading, PeerRecord } from './peer.ts';

export type Comparison =
  | { readonly kind: 'same' }
  /** The peer reads what we refuse, for the reason that is said. */
  | { readonly kind: 'only-peer'; readonly reason: string }
  /** We read what the peer refuses, with the error that is said. */
  | { readonly kind: 'only-we'; readonly reason: string }
  /** Both read it, and something is not the same. */
  | { readonly kind: 'otherwise'; readonly reason: string };

/** @param ours what we read, or why we refuse it */
export function compare(ours: ReadMessage | string, theirs: PeerReading): Comparison {
  if (typeof ours === 'string') {
    return theirs.read ? { kind: 'only-peer', reason: ours } : { kind: 'same' };
  }
  if (!theirs.read) return { kind: 'only-we', reason: theirs.error };
  const reason = firstDifference(ours, theirs);
  return reason === null ? { kind: 'same' } : { kind: 'otherwise', reason };
}

function firstDifference(ours: ReadMessage, theirs: PeerReading & { read: true }): string | null {
  const [question] = ours.questions;
  const [other] = theirs.questions;
  if (question === undefined || other === undefined) return 'no question';
  if (!sameName(question.name, other.name)) return `name of the question${odd(question.name)}`;
  if (question.type !== other.type) return 'type of the question';
  if (question.class !== other.class) return `class of the question${flush(question.class)}`;
  const answers = ours.sections[0] ?? [];
  if (answers.length !== theirs.answers.length) return 'number of answers';
  for (const [index, record] of answers.entries()) {
    const difference = recordDifference(record, theirs.answers[index]);
    if (difference !== null) return difference;
  }
  return null;
}

function recordDifference(ours: ReadRecord, theirs: PeerRecord | undefined): string | null {
  if (theirs === undefined) return 'number of answers';
  if (!sameName(ours.owner, theirs.owner)) return `owner${odd(ours.owner)}`;
  if (ours.type !== theirs.type) return 'type';
  if (ours.class !== theirs.class) return `class${flush(ours.class)}`;
  if (ours.ttl !== theirs.ttl && !(ours.ttl >= 2 ** 31 && theirs.ttl === 0))
    return `ttl${ours.ttl >= 2 ** 31 ? ' with the top bit set' : ''}`;
  if (ours.type === types.cname) {
    const { data } = theirs;
    const same = Array.isArray(data) && ours.target !== null && sameName(ours.target, data);
    return same ? null : `target${odd(ours.target ?? [])}`;
  }
  if ((ours.type !== types.a && ours.type !== types.aaaa) || ours.class !== 1) return null;
  const text = textOfAddress(ours.data);
  const hex = Buffer.from(ours.data).toString('hex');
  return theirs.data === text || theirs.data === hex ? null : 'address';
}

function sameName(ours: readonly string[], theirs: readonly string[]): boolean {
  return ours.length === theirs.length && ours.every((label, at) => label === foldCase(theirs[at] ?? ''));
}

/** Octets that text cannot hold apart. */
const odd = (labels: readonly string[]) =>
  labels.some((label) => label.includes('.')) || labels.some((label) => /[^ -~]/.test(label))
    ? ' of odd octets'
    : '';
const flush = (own: number) => ((own & 0x8000) === 0 ? '' : ' with the top bit set');
