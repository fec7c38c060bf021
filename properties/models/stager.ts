/**
 * Runs a subject's kernel-digest against the file model: stagers that take turns, somebody who changes
 * files between any two steps, a download that goes wrong, kill -9 at any step.
 */
import type { ConfigOf, OutputOf } from '../protocol/decision.ts';
import type { kernelDigest } from '../protocol/kernel-digest.ts';
import type { Subject } from '../subjects/subject.ts';
import {
  type Content,
  contents,
  destination,
  digestOf,
  type Inode,
  nameOf,
  predictable,
  StagedFiles,
  victim,
} from './staged-files.ts';

export type KernelConfig = ConfigOf<typeof kernelDigest>;
type Action = OutputOf<typeof kernelDigest>['action'];
interface Result {
  error: string | null;
  yes?: boolean;
  digest?: string;
  complete?: boolean;
}

export const downloads = ['good', 'evil', 'half', 'page', 'empty', 'refused', 'breaks'] as const;
export type Download = (typeof downloads)[number];
export const tampers = [
  'write',
  'replace',
  'symlink',
  'hard link',
  'fifo',
  'directory',
  'truncate',
  'remove',
] as const;

export interface Tamper {
  /** Before this tick of the whole run. */
  readonly at: number;
  readonly how: (typeof tampers)[number];
  readonly on: 'destination' | 'predictable';
}

export interface StagingCase {
  readonly config: KernelConfig;
  /** What stands at the destination beforehand. */
  readonly cached: 'nothing' | 'good' | 'evil' | 'empty' | 'half' | 'symlink' | 'fifo' | 'directory';
  readonly download: Download;
  readonly tampers: readonly Tamper[];
  /** Phases one after the other; each runs whatever became of the one before. */
  readonly phases: readonly ('stage' | 'open')[];
  /** The second stager's turns among the first one's ticks; empty: there is none. */
  readonly turns: readonly boolean[];
  /** kill -9 of the first run at this tick, then it starts again; null: it lives. */
  readonly killAt: number | null;
  readonly diskFull: boolean;
  /** Somebody who writes into a memfd that is not sealed, at the last moment. */
  readonly writesMemfd: boolean;
}

export interface StagingRun {
  readonly steps: readonly string[];
  /** How each phase ended: staged, booted, refused, hung. */
  readonly ends: readonly {
    readonly phase: 'stage' | 'open';
    readonly outcome: string;
    readonly rule: string;
  }[];
  /** What stood at the destination whenever a stager said staged; null: no regular file. */
  readonly promoted: readonly (Content | null)[];
  readonly booted: readonly Content[];
  readonly files: StagedFiles;
}

const mostTicks = 120;

interface Stager {
  readonly number: number;
  readonly phase: 'stage' | 'open';
  state: unknown;
  action: Action | null;
  rule: string;
  file: Inode | null;
  created: Inode | null;
  memfd: { content: Content; sealed: boolean } | null;
  /** Halves read so far, when an action is under way. */
  halfway: { first: string; inode: Inode | null } | null;
  renamed: Content | null;
  ended: boolean;
}

export function runStaging(subject: Subject, input: StagingCase): StagingRun {
  return new Run(subject, input).all();
}

class Run {
  readonly #decide: (input: { state: unknown; event: never }) => OutputOf<typeof kernelDigest>;
  readonly #input: StagingCase;
  readonly #files = new StagedFiles();
  readonly #steps: string[] = [];
  readonly #ends: StagingRun['ends'][number][] = [];
  readonly #promoted: (Content | null)[] = [];
  readonly #booted: Content[] = [];
  #tick = 0;
  #killed = false;

  constructor(subject: Subject, input: StagingCase) {
    this.#decide = subject.decide('kernel-digest', input.config);
    this.#input = input;
    this.#files.diskFull = input.diskFull;
    this.#place(destination, input.cached);
  }

  #place(path: string, cached: StagingCase['cached']): void {
    const { entries } = this.#files;
    if (cached === 'symlink') entries.set(path, { kind: 'symlink', target: victim });
    else if (cached === 'fifo' || cached === 'directory') entries.set(path, { kind: cached });
    else if (cached !== 'nothing') this.#files.put(path, contents[cached]);
  }

  all(): StagingRun {
    for (const phase of this.#input.phases) {
      this.#phase(phase);
      if (this.#killed) {
        this.#killed = false;
        this.#steps.push('kill -9; start again');
        this.#phase(phase);
      }
    }
    const { promoted, booted, files } = {
      promoted: this.#promoted,
      booted: this.#booted,
      files: this.#files,
    };
    return { steps: this.#steps, ends: this.#ends, promoted, booted, files };
  }

  #phase(phase: 'stage' | 'open'): void {
    const stagers = [this.#begin(0, phase)];
    if (phase === 'stage' && this.#input.turns.length > 0) stagers.push(this.#begin(1, phase));
    const turns = [...this.#input.turns];
    while (stagers.some(({ ended }) => !ended)) {
      const wanted = stagers[turns.shift() === true ? 1 : 0];
      const next = wanted !== undefined && !wanted.ended ? wanted : stagers.find(({ ended }) => !ended);
      if (next === undefined) return;
      this.#tamper();
      if (this.#tick === this.#input.killAt && !this.#steps.includes('kill -9; start again')) {
        this.#tick += 1;
        this.#files.lockedBy = null;
        this.#killed = true;
        return;
      }
      this.#turn(next);
      this.#tick += 1;
      if (this.#tick > mostTicks) {
        this.#ends.push({ phase, outcome: 'endless', rule: `over ${mostTicks} steps` });
        return;
      }
    }
  }

  #begin(number: number, phase: 'stage' | 'open'): Stager {
    const none = {
      state: null,
      action: null,
      rule: '',
      file: null,
      created: null,
      memfd: null,
      halfway: null,
      renamed: null,
    };
    const stager: Stager = { number, phase, ended: false, ...none };
    this.#ask(stager, { kind: 'begin', phase, suffix: `r${this.#tick}${number}` });
    return stager;
  }

  #ask(stager: Stager, event: object): void {
    const { state, action, rule } = this.#decide({ state: stager.state, event: event as never });
    Object.assign(stager, { state, action, rule });
  }

  #tamper(): void {
    for (const { at, how, on } of this.#input.tampers) {
      if (at !== this.#tick) continue;
      const path = on === 'destination' ? destination : predictable;
      const entry = this.#files.entries.get(path);
      this.#steps.push(`somebody: ${how} ${on === 'destination' ? 'dest' : 'dest.tmp'}`);
      if (how === 'write' && entry?.kind === 'file') entry.inode.content = contents.evil;
      if (how === 'truncate' && entry?.kind === 'file') entry.inode.content = contents.empty;
      if (how === 'replace' && entry?.kind !== 'directory') this.#files.put(path, contents.evil);
      if (how === 'remove' && entry?.kind !== 'directory') this.#files.entries.delete(path);
      if (how === 'symlink' && entry?.kind !== 'directory') this.#place(path, 'symlink');
      if (how === 'fifo' && entry?.kind !== 'directory') this.#place(path, 'fifo');
      if (how === 'directory' && entry === undefined) this.#place(path, 'directory');
      const target = this.#files.entries.get(victim);
      if (how === 'hard link' && entry?.kind !== 'directory' && target !== undefined)
        this.#files.entries.set(path, target);
    }
  }

  #turn(stager: Stager): void {
    const { action } = stager;
    if (action === null) return;
    if (action.do === 'done') {
      this.#end(stager, action.outcome);
      return;
    }
    const result = this.#execute(stager, action);
    if (result === 'halfway') return;
    if (result === 'hangs') {
      this.#end(stager, 'hung');
      return;
    }
    const said = result.error ?? (result.yes === undefined ? 'ok' : String(result.yes));
    this.#steps.push(`${stager.number === 0 ? '' : 'second '}${stager.phase}: ${describe(action)} → ${said}`);
    this.#ask(stager, { kind: 'result', ...result });
  }

  #end(stager: Stager, outcome: string): void {
    stager.ended = true;
    if (this.#files.lockedBy === stager.number) this.#files.lockedBy = null;
    this.#steps.push(`${stager.number === 0 ? '' : 'second '}${stager.phase}: ${outcome} [${stager.rule}]`);
    this.#ends.push({ phase: stager.phase, outcome, rule: stager.rule });
    if (outcome === 'staged') this.#promoted.push(stager.renamed ?? this.#files.contentAt(destination));
  }

  #execute(stager: Stager, action: Exclude<Action, { do: 'done' }>): Result | 'halfway' | 'hangs' {
    const files = this.#files;
    switch (action.do) {
      case 'lock':
        if (files.lockedBy !== null && files.lockedBy !== stager.number) return { error: 'EAGAIN' };
        files.lockedBy = stager.number;
        return { error: null };
      case 'sweep':
        for (const path of files.entries.keys())
          if (path.startsWith(`${destination}.stage-`)) files.entries.delete(path);
        return { error: null };
      case 'is-file':
        return { error: null, yes: files.resolve(action.path)?.kind === 'file' };
      case 'open':
        return this.#open(stager, action.path);
      case 'copy-and-hash':
        return this.#copy(stager, action.from);
      case 'seal':
        if (stager.memfd !== null) stager.memfd.sealed = true;
        return { error: null };
      case 'create':
        if (files.entries.has(action.path)) return { error: 'EEXIST' };
        stager.created = { content: contents.empty };
        files.entries.set(action.path, { kind: 'file', inode: stager.created });
        return { error: null };
      case 'write':
        if (files.diskFull) return { error: 'ENOSPC' };
        if (stager.created !== null) stager.created.content = this.#memfdContent(stager);
        return { error: null };
      case 'fetch':
        return this.#fetch(stager, action.path);
      case 'check-line':
        return this.#checkLine(stager, action.line);
      case 'rename':
        return this.#rename(stager, action.from, action.to);
      case 'move': {
        const into = files.resolve(action.to)?.kind === 'directory';
        return this.#rename(
          stager,
          action.from,
          into ? `${action.to}/${action.from.split('/').at(-1)}` : action.to,
        );
      }
      case 'unlink':
        return { error: files.unlink(action.path) };
      case 'boot':
        return this.#boot(stager, action.from);
    }
  }

  #memfdContent({ memfd }: Stager): Content {
    if (memfd === null) return contents.empty;
    return this.#input.writesMemfd && !memfd.sealed ? contents.evil : memfd.content;
  }

  #open(stager: Stager, path: string): Result {
    const entry = this.#files.entries.get(path);
    if (entry === undefined) return { error: 'ENOENT' };
    if (entry.kind === 'symlink') return { error: 'ELOOP' };
    if (entry.kind !== 'file') return { error: entry.kind === 'directory' ? 'EISDIR' : 'ENOTREG' };
    stager.file = entry.inode;
    return { error: null };
  }

  /** First half now, second half on the next turn: a read of a file sees what is written in between. */
  #copy(stager: Stager, from: 'file' | 'url'): Result | 'halfway' {
    if (from === 'file' && stager.file === null) return { error: 'EBADF' };
    const { download } = this.#input;
    if (from === 'url' && download === 'refused') return { error: 'ECONNREFUSED' };
    const source: Content = from === 'file' ? (stager.file?.content ?? contents.empty) : downloaded(download);
    if (stager.halfway === null) {
      stager.halfway = { first: source[0], inode: null };
      return 'halfway';
    }
    const content: Content = [stager.halfway.first, source[1]];
    stager.halfway = null;
    stager.memfd = { content, sealed: false };
    return { error: null, digest: digestOf(content), complete: from === 'file' || download !== 'breaks' };
  }

  /** wget -O: opens by path, truncates, writes what comes. */
  #fetch(stager: Stager, path: string): Result | 'halfway' | 'hangs' {
    const { download } = this.#input;
    if (stager.halfway === null) {
      const name = this.#files.finalName(path);
      const entry = this.#files.entries.get(name);
      if (entry?.kind === 'fifo') return 'hangs';
      if (entry?.kind === 'directory') return { error: 'EISDIR' };
      if (download === 'refused') return { error: 'ECONNREFUSED' };
      const inode: Inode = entry?.kind === 'file' ? entry.inode : { content: contents.empty };
      if (entry === undefined) this.#files.entries.set(name, { kind: 'file', inode });
      inode.content = [downloaded(download)[0], ''];
      stager.halfway = { first: '', inode };
      return 'halfway';
    }
    const { inode } = stager.halfway;
    stager.halfway = null;
    if (download === 'breaks') return { error: 'ECONNRESET' };
    if (inode !== null) inode.content = [inode.content[0], downloaded(download)[1]];
    return { error: null };
  }

  /** coreutils without --strict: improper lines are a warning as long as one line is proper. */
  #checkLine(stager: Stager, text: string): Result | 'halfway' | 'hangs' {
    const proper = text.split('\n').flatMap((line) => {
      const [, digest = '', path = ''] = /^\\?([0-9a-fA-F]{64}) [ *](.+)$/.exec(line) ?? [];
      return digest === '' ? [] : [{ digest: digest.toLowerCase(), path }];
    });
    if (proper.some(({ path }) => this.#files.resolve(path)?.kind === 'fifo')) return 'hangs';
    if (stager.halfway === null) {
      const entry = this.#files.resolve(proper[0]?.path ?? '');
      const inode = entry?.kind === 'file' ? entry.inode : null;
      stager.halfway = { first: inode?.content[0] ?? '', inode };
      return 'halfway';
    }
    const { first, inode } = stager.halfway;
    stager.halfway = null;
    const [one, ...more] = proper;
    const right = inode !== null && one !== undefined && digestOf([first, inode.content[1]]) === one.digest;
    const others = more.every(({ digest, path }) => {
      const content = this.#files.contentAt(path);
      return content !== null && digestOf(content) === digest;
    });
    return { error: null, yes: right && others };
  }

  #rename(stager: Stager, from: string, to: string): Result {
    const content = this.#files.contentAt(from);
    const regular = this.#files.entries.get(from)?.kind === 'file';
    const error = this.#files.rename(from, to);
    if (error === null && to === destination && regular) stager.renamed = content;
    return { error };
  }

  #boot(stager: Stager, from: 'memfd' | 'path'): Result {
    const content = from === 'memfd' ? this.#memfdContent(stager) : this.#files.contentAt(destination);
    if (content === null) return { error: 'ENOENT' };
    this.#booted.push(content);
    return { error: null };
  }
}

function downloaded(download: Download): Content {
  if (download === 'breaks') return contents.half;
  return download === 'refused' ? contents.empty : contents[download];
}

function describe(action: Action): string {
  const words = Object.entries(action).map(([key, value]) =>
    key === 'do' ? String(value) : short(String(value)),
  );
  return words.join(' ');
}

function short(text: string): string {
  return text
    .replaceAll(destination, 'dest')
    .replace(/\b[0-9a-f]{64}\b/g, (digest) => `${digest.slice(0, 8)}…`);
}

/** Names of contents, for people. */
export function contentText(content: Content | null): string {
  return content === null ? 'no regular file' : `the ${nameOf(content)} file`;
}
