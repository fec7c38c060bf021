/** Starts the lab that stays, finds the one that runs, and asks it. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError } from '#reference/base/coded-error.ts';
import { cacheFolder } from '../../artifacts/cache-folder.ts';
import { labFolders } from '../../leftovers/lab-folder.ts';
import { ownerVariable } from '../../leftovers/owner.ts';
import {
  type LabReply,
  type LabRequest,
  type LabStatus,
  linesOn,
  sendLine,
  socketName,
} from './lab-lines.ts';
import type { LabOrder, LabReport } from './lab-main.ts';

const main = fileURLToPath(new URL('./lab-main.ts', import.meta.url));
/** Fetching included. */
const upDeadlineMs = 900_000;

/** Socket of the lab that runs, or null. */
export function runningLab(): string | null {
  const running = labFolders().find(
    ({ path, owner }) => owner === 'running' && basename(path).startsWith('huskproof-microvm-'),
  );
  return running === undefined ? null : join(running.path, socketName);
}

/** @throws CodedError `lab-failed`, and what kept it from starting */
export function startLab(order: LabOrder, say: (line: string) => void): Promise<LabStatus> {
  mkdirSync(cacheFolder(), { recursive: true, mode: 0o700 });
  const logPath = join(cacheFolder(), 'lab.log');
  const log = openSync(logPath, 'w', 0o600);
  // It is nobody's but its own: what this process leaves is something else.
  const { [ownerVariable]: _, ...env } = process.env;
  const child = spawn(process.execPath, [main, JSON.stringify(order)], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env,
  });
  closeSync(log);
  const { promise, resolve, reject } = Promise.withResolvers<LabStatus>();
  const failed = (why: string) =>
    reject(new CodedError('lab-failed', `the lab did not come up: ${why}`, `see ${logPath}`));
  const timer = setTimeout(() => {
    child.kill('SIGTERM');
    failed(`not within ${upDeadlineMs / 1_000} s`);
  }, upDeadlineMs);
  child.on('message', (told) => {
    const report = told as LabReport;
    if (report.kind === 'progress') say(report.line);
    else if (report.kind === 'ready') resolve(report.status);
    else reject(errorOf(report.error));
  });
  child.once('error', ({ message }) => failed(message));
  child.once('exit', (code, signal) => failed(`its process ended with ${code ?? signal}`));
  return promise.finally(() => {
    clearTimeout(timer);
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
  });
}

/**
 * One request to the lab that runs, and what it answers. What follows the request is sent by `more`.
 * @throws CodedError `no-lab`, and what the lab refuses
 */
export async function askLab(
  request: LabRequest,
  take: (reply: LabReply) => Promise<void> | void,
  more: (socket: Socket) => void = () => undefined,
): Promise<void> {
  const path = runningLab();
  if (path === null) throw new CodedError('no-lab', 'no lab is up', 'pnpm lab up');
  const socket = connect(path);
  try {
    await sendLine(socket, request);
    more(socket);
    for await (const reply of linesOn<LabReply>(socket)) {
      if ('error' in reply) throw errorOf(reply.error);
      await take(reply);
      if ('end' in reply) return;
    }
  } finally {
    socket.destroy();
  }
}

function errorOf({ code, message, remediation }: Extract<LabReply, { error: unknown }>['error']): CodedError {
  return new CodedError(code, message, remediation);
}
