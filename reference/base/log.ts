/**
 * The log of a process: one JSON object a line on stderr (pino).
 * Invariant: whoever writes to it bounds what strangers can make it write; nothing secret is ever given to it.
 */
import pino, { type Logger } from 'pino';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** @param level lines below it are left out */
export function openLog(name: string, level: LogLevel = 'info'): Logger {
  // Written at once: what was said before a crash is there after it.
  const stderr = pino.destination({ dest: 2, sync: true });
  return pino({ name, level, timestamp: pino.stdTimeFunctions.isoTime }, stderr);
}
