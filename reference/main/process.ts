/** What the processes of the reference have in common: their flags, the signal that ends them, and how they fail. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { CodedError } from '#reference/base/coded-error.ts';

export function badFlag(what: string, cause?: unknown): CodedError {
  return new CodedError('bad-flag', what, 'see --help', { cause });
}

/** @throws CodedError `bad-flag` */
export function readFlags<T extends ParseArgsOptionsConfig>(options: T) {
  try {
    return parseArgs({ options, strict: true }).values;
  } catch (error) {
    throw badFlag(error instanceof Error ? error.message : String(error));
  }
}

/** @throws CodedError `bad-flag` */
export function oneOf<T extends string>(flag: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  throw badFlag(`--${flag} ${value}: it is none of ${known.join(', ')}`);
}

/** @throws CodedError `bad-flag` */
export function numberOf(flag: string, text: string, most: number, least = 0): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw badFlag(`--${flag} ${text}: it is no number from ${least} to ${most}`);
}

/** Told once, by SIGTERM or SIGINT. */
export function signalled(): Promise<void> {
  return new Promise((resolve) => {
    // Nothing else may hold the event loop.
    const held = setInterval(() => undefined, 1 << 30);
    const end = () => {
      clearInterval(held);
      resolve();
    };
    process.once('SIGTERM', end).once('SIGINT', end);
  });
}

/** Exit code 2, and two lines on stderr, for a coded error; 70 and the whole chain for any other. */
export function failProcess(name: string, error: unknown): never {
  if (error instanceof CodedError) {
    process.stderr.write(`${name}: ${error.message}\n  ${error.remediation} [${error.code}]\n`);
    process.exit(2);
  }
  process.stderr.write(
    `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exit(70);
}
