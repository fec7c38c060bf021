/** Debian's dnspython as a peer: one Python process, a message a line; its time, its lines and its life are bounded. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Labels } from '../../../models/dns-message.ts';
import type { Peer, PeerReading } from './peer.ts';

const program = fileURLToPath(new URL('./dnspython_reader.py', import.meta.url));
/** Debian's own first: another Python on the path has other packages. */
const pythons = ['/usr/bin/python3', 'python3'];
const startTimeoutMs = 30_000;
const batchTimeoutMs = 120_000;

export interface Unsupported {
  readonly unsupported: string;
  readonly remedy: string;
}

const remedy = 'apt-get install -y python3-dnspython';

/** The peer, or why it is not here. */
export async function startDnspython(): Promise<Peer | Unsupported> {
  let reason = '';
  for (const python of pythons) {
    const started = await startWith(python);
    if ('read' in started) return started;
    reason = started.unsupported;
  }
  return { unsupported: reason, remedy };
}

async function startWith(python: string): Promise<Peer | Unsupported> {
  const child = spawn(python, [program], { stdio: 'pipe' });
  const lines = new ChildLines(child);
  try {
    const { version } = JSON.parse(await lines.next(startTimeoutMs)) as { version: string };
    return {
      name: 'dnspython',
      version,
      read: (messages) => readAll(child, lines, messages),
      close: () => lines.end(),
    };
  } catch (error) {
    await lines.end();
    const said = lines.stderr.trim().split('\n').at(-1) ?? '';
    return { unsupported: said === '' ? String(error) : said, remedy };
  }
}

/** Lines of a child, each awaited with a deadline; a child that is late or gone is ended. */
class ChildLines {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #reader: Interface;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<void>;
  stderr = '';

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#reader = createInterface({ input: child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    this.#gone = new Promise((resolve) => {
      child.once('close', () => resolve());
      child.once('error', (error) => {
        this.stderr += String(error);
        resolve();
      });
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.stderr.length < 4_096) this.stderr += text;
    });
    child.stdin.on('error', (error) => {
      this.stderr += String(error);
    });
  }

  async next(timeoutMs: number): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no line within ${timeoutMs / 1_000} s`)), timeoutMs);
    });
    try {
      const { value, done } = await Promise.race([this.#lines.next(), late]);
      if (done === true) {
        await this.#gone;
        throw new Error('it ended');
      }
      return value;
    } finally {
      clearTimeout(timer);
    }
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
    this.#reader.close();
  }
}

type RawReading =
  | { readonly error: string }
  | {
      readonly questions: readonly (readonly [Labels, number, number])[];
      readonly answers: readonly (readonly [Labels, number, number, number, string | Labels | null])[];
    };

async function readAll(
  child: ChildProcessWithoutNullStreams,
  lines: ChildLines,
  messages: readonly Uint8Array[],
): Promise<PeerReading[]> {
  child.stdin.write(messages.map((octets) => `${Buffer.from(octets).toString('hex')}\n`).join(''));
  const readings: PeerReading[] = [];
  for (const _ of messages)
    readings.push(readingOf(JSON.parse(await lines.next(batchTimeoutMs)) as RawReading));
  return readings;
}

function readingOf(raw: RawReading): PeerReading {
  if ('error' in raw) return { read: false, error: raw.error };
  const questions = raw.questions.map(([name, type, own]) => ({ name, type, class: own }));
  const answers = raw.answers.map(([owner, type, own, ttl, data]) => ({
    owner,
    type,
    class: own,
    ttl,
    data,
  }));
  return { read: true, questions, answers };
}
