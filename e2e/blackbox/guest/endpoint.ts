/** Where an agent is spoken to: a unix socket, Firecracker's unix socket for vsock, or a vsock address. */
import { statSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';

export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  /** The host's side of Firecracker's vsock: `CONNECT PORT` comes first (Firecracker, docs/vsock.md). */
  | { readonly kind: 'fc'; readonly path: string; readonly port: number }
  | { readonly kind: 'vsock'; readonly cid: number; readonly port: number };

/** sun_path, its NUL left out. */
export const maxPathOctets = 107;
/** VMADDR_CID_LOCAL: this machine, through vsock_loopback. */
const cidLocal = 1;
const anyCid = 0xffff_ffff;

/** `{n}` stands for the number of a fork, from 1. */
export const forkNumber = '{n}';
export const ofFork = (text: string, n: number) => text.replaceAll(forkNumber, String(n));

/** @param usualPort of vsock, where none is named. @throws CodedError `bad-guest-flag` */
export function parseEndpoint(flag: string, text: string, usualPort: number): Endpoint {
  const [, kind = 'unix', rest = ''] = /^(?:(unix|fc|vsock):)?(.+)$/.exec(text) ?? [];
  const [, first = '', digits = String(usualPort)] = /^(.*?)(?::(\d{1,10}))?$/.exec(rest) ?? [];
  const port = Number(digits);
  if (kind === 'unix' && isSocketPath(rest)) return { kind, path: rest };
  if (kind === 'fc' && isSocketPath(first) && port < anyCid) return { kind, path: first, port };
  if (kind === 'vsock' && /^\d{1,10}$/.test(first) && Number(first) < anyCid && port < anyCid) {
    return { kind, cid: Number(first), port };
  }
  throw new CodedError(
    'bad-guest-flag',
    `${flag} ${text} is no place of an agent`,
    `write unix:/path/socket, fc:/path/socket:${usualPort} or vsock:CID:${usualPort}; a path is absolute and has at most ${maxPathOctets} octets`,
  );
}

const isSocketPath = (path: string) =>
  path.startsWith('/') && Buffer.byteLength(path) <= maxPathOctets && !path.includes('\0');

export function endpointText(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  const place = endpoint.kind === 'fc' ? endpoint.path : endpoint.cid;
  return `${endpoint.kind}:${place}:${endpoint.port}`;
}

/** A socket that is this user's, or is not there; of vsock, this machine. */
export function isOwn(endpoint: Endpoint, uid: number = process.geteuid?.() ?? 0): boolean {
  if (endpoint.kind === 'vsock') return endpoint.cid === cidLocal;
  return (statSync(endpoint.path, { throwIfNoEntry: false })?.uid ?? uid) === uid;
}
