/**
 * Firecracker's API over its socket: a request at a time.
 * Invariant: every request has a deadline, every answer a bound; what it says of a fault is cut.
 */
import { request } from 'node:http';
import { CodedError } from '#reference/base/coded-error.ts';
import type { ApiRequest } from './requests.ts';

const maxAnswerOctets = 65_536;
const maxFaultLength = 300;
const deadlineMs = 20_000;
const noContent = 204;

export function firecrackerFault(message: string, cause?: unknown): CodedError {
  return new CodedError('vmm-failed', message, 'see what the VMM said, and whether the guest is alive', {
    cause,
  });
}

/** @throws CodedError `vmm-failed` with Firecracker's own words */
export function callApi(socketPath: string, { method, path, body }: ApiRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) =>
      reject(firecrackerFault(`${method} ${path}: ${why}`, cause));
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const signal = AbortSignal.timeout(deadlineMs);
    const asked = request({ socketPath, method, path, headers, signal }, (answer) => {
      let said = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.length > maxAnswerOctets) answer.destroy(new Error('the answer is too long'));
      });
      answer.once('error', (cause) => fail('the answer broke off', cause));
      answer.once('end', () => {
        if (answer.statusCode === noContent) resolve();
        else fail(`${answer.statusCode}: ${faultIn(said)}`);
      });
    });
    asked.once('error', (cause) => fail('no answer', cause));
    asked.end(JSON.stringify(body));
  });
}

/** Definition `Error` of the description. */
function faultIn(said: string): string {
  try {
    const { fault_message: message } = JSON.parse(said) as { fault_message?: unknown };
    return String(message).slice(0, maxFaultLength);
  } catch {
    return 'an answer that is no JSON';
  }
}
