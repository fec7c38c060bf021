/**
 * Reads what a guest says on its services channel, as far as the contract names it.
 * Invariant: total; a field of another type makes the line no reply.
 */
import { type FileEntry, maxChunkOctets, type ServiceEnd } from '#reference/contract/guest-protocol.ts';

export type ServicePart =
  | { readonly kind: 'chunk'; readonly stream: 'stdout' | 'stderr' | 'data'; readonly octets: Buffer }
  | { readonly kind: 'entries'; readonly entries: readonly FileEntry[] }
  | { readonly kind: 'ack'; readonly chunks: number }
  | { readonly kind: 'end'; readonly end: Omit<ServiceEnd, 'id'> };

type Fields = Readonly<Record<string, unknown>>;

const streams: ReadonlySet<unknown> = new Set(['stdout', 'stderr', 'data']);
const kinds: ReadonlySet<unknown> = new Set(['file', 'directory', 'link', 'other']);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** null: it is none. */
export function readReply(line: string): { readonly id: number; readonly part: ServicePart } | null {
  const fields = objectOf(line);
  if (fields === null || !isCount(fields.id)) return null;
  const part = partOf(fields);
  return part === null ? null : { id: fields.id, part };
}

function objectOf(line: string): Fields | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
  } catch {
    return null;
  }
}

function partOf({ stream, data, entries, ack, ...rest }: Fields): ServicePart | null {
  if (stream === 'entries') {
    return Array.isArray(entries) && entries.every(isEntry)
      ? { kind: 'entries', entries: entries.map(entryOf) }
      : null;
  }
  if (stream !== undefined) {
    if (!streams.has(stream) || typeof data !== 'string') return null;
    const octets = Buffer.from(data, 'base64');
    return octets.length <= maxChunkOctets
      ? { kind: 'chunk', stream: stream as 'stdout' | 'stderr' | 'data', octets }
      : null;
  }
  if (ack !== undefined) return isCount(ack) ? { kind: 'ack', chunks: ack } : null;
  return endOf(rest);
}

function endOf(fields: Fields): ServicePart | null {
  const { ok, error, exit_code, signal, timed_out, truncated, entry } = fields;
  if (typeof ok !== 'boolean') return null;
  if (error !== undefined && typeof error !== 'string') return null;
  if (exit_code !== undefined && !Number.isInteger(exit_code)) return null;
  if (signal !== undefined && typeof signal !== 'string') return null;
  if (entry !== undefined && !isEntry(entry)) return null;
  const end = {
    ok,
    ...(typeof error === 'string' ? { error } : {}),
    ...(typeof exit_code === 'number' ? { exit_code } : {}),
    ...(typeof signal === 'string' ? { signal } : {}),
    ...(timed_out === true ? { timed_out: true as const } : {}),
    ...(truncated === true ? { truncated: true as const } : {}),
    ...(isEntry(entry) ? { entry: entryOf(entry) } : {}),
  };
  return { kind: 'end', end };
}

function isEntry(value: unknown): value is FileEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { name, kind, octets, mode, modified_ms: modifiedMs } = value as Fields;
  return (
    typeof name === 'string' &&
    kinds.has(kind) &&
    isCount(octets) &&
    isCount(mode) &&
    typeof modifiedMs === 'number'
  );
}

/** What is named, and no field more. */
const entryOf = ({ name, kind, octets, mode, modified_ms }: FileEntry): FileEntry => ({
  ...{ name, kind, octets, mode, modified_ms },
});
