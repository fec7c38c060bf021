/**
 * A small POSIX tree: names, inodes, links, FIFOs, directories. A file is read and written in two halves,
 * so that somebody can act in between; contents are symbols, digests are real.
 */
import { createHash } from 'node:crypto';

export type Content = readonly [string, string];

export const contents = {
  good: ['kernel, first half; ', 'kernel, second half'],
  evil: ['implant, first half; ', 'implant, second half'],
  half: ['kernel, first half; ', ''],
  page: ['<html>404</html>', ''],
  empty: ['', ''],
  victim: ['somebody else’s ', 'file'],
} as const satisfies Record<string, Content>;
export type ContentName = keyof typeof contents;

const digests = new Map<string, string>();

export function digestOf(content: Content): string {
  const text = content.join('');
  const digest = digests.get(text) ?? createHash('sha256').update(text).digest('hex');
  digests.set(text, digest);
  return digest;
}

/** What somebody reading would call it: a name, or `torn`. */
export function nameOf(content: Content): ContentName | 'torn' {
  const found = Object.entries(contents).find(
    ([, [first, second]]) => first === content[0] && second === content[1],
  );
  return (found?.[0] as ContentName | undefined) ?? 'torn';
}

export interface Inode {
  content: Content;
}

export type Entry =
  | { readonly kind: 'file'; readonly inode: Inode }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'fifo' | 'directory' };

export const destination = '/var/lib/mitos/vmlinux';
/** The predictable name that the scripts download to. */
export const predictable = `${destination}.tmp`;
export const victim = '/etc/victim';

export class StagedFiles {
  readonly entries = new Map<string, Entry>([
    [victim, { kind: 'file', inode: { content: contents.victim } }],
  ]);
  /** Who holds the lock on the folder. */
  lockedBy: number | null = null;
  diskFull = false;

  put(path: string, content: Content): void {
    this.entries.set(path, { kind: 'file', inode: { content } });
  }

  /** The entry behind symbolic links; undefined when there is none, or they loop. */
  resolve(path: string): Entry | undefined {
    let entry = this.entries.get(path);
    for (let hops = 0; entry?.kind === 'symlink' && hops < 8; hops++) entry = this.entries.get(entry.target);
    return entry?.kind === 'symlink' ? undefined : entry;
  }

  /** The name that a path means once links are followed. */
  finalName(path: string): string {
    let name = path;
    for (let hops = 0; hops < 8; hops++) {
      const entry = this.entries.get(name);
      if (entry?.kind !== 'symlink') break;
      name = entry.target;
    }
    return name;
  }

  contentAt(path: string): Content | null {
    const entry = this.resolve(path);
    return entry?.kind === 'file' ? entry.inode.content : null;
  }

  rename(from: string, to: string): string | null {
    const entry = this.entries.get(from);
    if (entry === undefined) return 'ENOENT';
    const there = this.entries.get(to);
    if (there?.kind === 'directory' && entry.kind !== 'directory') return 'EISDIR';
    // Two names of one file: rename(2) does nothing.
    if (there?.kind === 'file' && entry.kind === 'file' && there.inode === entry.inode) return null;
    this.entries.set(to, entry);
    this.entries.delete(from);
    return null;
  }

  unlink(path: string): string | null {
    const entry = this.entries.get(path);
    if (entry === undefined) return 'ENOENT';
    if (entry.kind === 'directory') return 'EISDIR';
    this.entries.delete(path);
    return null;
  }
}
