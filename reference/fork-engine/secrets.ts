/**
 * Secrets of a sandbox: a variable of each exec, or a file.
 * Invariant: they go into a guest that is released, and into no message, log or list.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import type { Secret } from '#reference/contract/fork-engine-port.ts';
import type { ServiceChannel } from './service-channel.ts';

export const maxSecrets = 32;
export const maxSecretOctets = 16_384;
const variable = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const ownerReads = 0o400;

/** @throws CodedError `bad-secret` */
export function checkSecrets(secrets: readonly Secret[]): void {
  if (secrets.length > maxSecrets) throw bad(`more than ${maxSecrets}`);
  for (const [index, { value, envVar, path }] of secrets.entries()) {
    if ((envVar === undefined) === (path === undefined))
      throw bad(`[${index}] names not one of envVar and path`);
    if (envVar !== undefined && !variable.test(envVar))
      throw bad(`[${index}].envVar is no name of a variable`);
    if (path !== undefined && !path.startsWith('/')) throw bad(`[${index}].path is not absolute`);
    if (Buffer.byteLength(value) > maxSecretOctets)
      throw bad(`[${index}] is longer than ${maxSecretOctets} octets`);
    if (envVar !== undefined && value.includes('\0'))
      throw bad(`[${index}] holds a NUL, which no variable can`);
  }
}

/** Those that are files. @throws CodedError `secret-not-delivered` */
export async function deliverSecrets(services: ServiceChannel, secrets: readonly Secret[]): Promise<void> {
  for (const [index, { path, value }] of secrets.entries()) {
    if (path === undefined) continue;
    const { ok, error } = await services.writeFile(path, ownerReads, octetsOf(value));
    if (ok) continue;
    throw new CodedError(
      'secret-not-delivered',
      `secrets[${index}] could not be written in the guest: ${(error ?? '').slice(0, 200)}`,
      'name a path that is a file’s, in a folder that can be made',
    );
  }
}

async function* octetsOf(value: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(value);
}

/** What each exec has besides its own. */
export function secretVariables(secrets: readonly Secret[]): Record<string, string> {
  return Object.fromEntries(
    secrets.flatMap(({ envVar, value }) => (envVar === undefined ? [] : [[envVar, value] as const])),
  );
}

function bad(what: string): CodedError {
  return new CodedError('bad-secret', `secrets: ${what}`, 'mend what the message names');
}
