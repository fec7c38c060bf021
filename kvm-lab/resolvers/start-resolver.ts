/** Starts a resolver in the namespaces that this process is in, and ends it by its id. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PinSets, ResolverPlace, ResolverTool } from './resolver-tool.ts';

const commandTimeoutMs = 10_000;
const endMs = 5_000;
const keptWords = 4_000;

export interface RunningResolver {
  /** The end of what it has said so far. */
  words(): string;
  /** null: it runs. */
  readonly ended: () => string | null;
  end(): Promise<void>;
}

const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };

/** What is around it: loopback, its files, the sets that it pins into. */
export function startResolver(tool: ResolverTool, place: ResolverPlace): RunningResolver {
  execFileSync('ip', ['link', 'set', 'lo', 'up'], { timeout: commandTimeoutMs, env });
  if (tool.pinSets !== undefined) makeSets(tool.pinSets);
  const { files, command } = tool.setUp(place);
  mkdirSync(place.folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place.folder, name), text);
  const [program, ...words] = command;
  const child = spawn(program, words, { cwd: place.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  return watched(child);
}

function makeSets({ family, table, ipv4, ipv6, of }: PinSets): void {
  const rest = of === 'flows' ? ' . inet_proto . inet_service; flags timeout' : '';
  const lines = [
    `add table ${family} ${table}`,
    `add set ${family} ${table} ${ipv4} { type ipv4_addr${rest}; }`,
    `add set ${family} ${table} ${ipv6} { type ipv6_addr${rest}; }`,
  ];
  execFileSync('nft', ['-f', '-'], { input: `${lines.join('\n')}\n`, timeout: commandTimeoutMs, env });
}

function watched(child: ChildProcess): RunningResolver {
  let said = '';
  let ended: string | null = null;
  const hear = (more: Buffer) => {
    said = `${said}${more.toString('latin1')}`.slice(-keptWords);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const gone = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      ended = error.message;
      resolve();
    });
    child.once('exit', (code, signal) => {
      ended = `ended with ${signal ?? code}`;
      resolve();
    });
  });
  return {
    words: () => said,
    ended: () => ended,
    async end() {
      if (ended !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), endMs);
      await gone;
      clearTimeout(timer);
    },
  };
}
