/**
 * An eventfd by which one thread ends the wait of another.
 * Invariant: however often it is written to, it is readable until it is cleared, and no write waits.
 */
import { readSync, writeSync } from 'node:fs';

const one = new Uint8Array(BigUint64Array.of(1n).buffer);
const count = new Uint8Array(8);

function isFullOrEmpty(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}

/** From any thread of the process. */
export function wakeThrough(fd: number): void {
  try {
    writeSync(fd, one);
  } catch (error) {
    // It cannot be counted higher: whoever waits is woken all the same.
    if (!isFullOrEmpty(error)) throw error;
  }
}

export function clearWake(fd: number): void {
  try {
    readSync(fd, count);
  } catch (error) {
    if (!isFullOrEmpty(error)) throw error;
  }
}
