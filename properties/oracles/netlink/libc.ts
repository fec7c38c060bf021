/** The few calls of libc that the oracles make through koffi; each failure is an error with its errno. */
import { getSystemErrorMap } from 'node:util';
import koffi from 'koffi';

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(descriptor: number, address: Buffer, length: number): number;
  sendto(
    descriptor: number,
    data: Buffer,
    length: number,
    flags: number,
    address: Buffer,
    addressLength: number,
  ): number;
  recv(descriptor: number, data: Buffer, length: number, flags: number): number;
  setsockopt(descriptor: number, level: number, name: number, value: Buffer, length: number): number;
  close(descriptor: number): number;
  setns(descriptor: number, type: number): number;
  if_nametoindex(name: string): number;
}

const prototypes: Readonly<Record<keyof Calls, string>> = {
  socket: 'int socket(int domain, int type, int protocol)',
  bind: 'int bind(int fd, void *address, uint32_t length)',
  sendto: 'int64_t sendto(int fd, void *data, size_t length, int flags, void *address, uint32_t size)',
  recv: 'int64_t recv(int fd, void *data, size_t length, int flags)',
  setsockopt: 'int setsockopt(int fd, int level, int name, void *value, uint32_t length)',
  close: 'int close(int fd)',
  setns: 'int setns(int fd, int type)',
  if_nametoindex: 'uint32_t if_nametoindex(const char *name)',
};

let loaded: Calls | null = null;

/** Loaded at first use: whoever only evaluates rulesets needs no native module. */
export function libc(): Calls {
  if (loaded === null) {
    const library = koffi.load(null);
    const entries = Object.entries(prototypes).map(([name, prototype]) => [name, library.func(prototype)]);
    loaded = Object.fromEntries(entries) as Calls;
  }
  return loaded;
}

export class SystemCallError extends Error {
  readonly code: string;

  constructor(call: string, errno: number) {
    const [code, words] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error'];
    super(`${call}: ${code}, ${words}`);
    this.name = 'SystemCallError';
    this.code = code;
  }
}

/** The result of a call that says -1 when it failed. */
export function checked(call: keyof Calls, result: number): number {
  if (result < 0) throw new SystemCallError(call, koffi.errno());
  return result;
}

export function errnoCode(): string {
  return getSystemErrorMap().get(-koffi.errno())?.[0] ?? `errno ${koffi.errno()}`;
}
