/**
 * Reads what the host wrote: the shape of each request, whole.
 * Invariant: total; a field that is not known is refused, and no refusal holds an octet of the request.
 */
import {
  type ControlRequest,
  type ExecRequest,
  maxArguments,
  maxExecOctets,
  type ServiceRequest,
} from '#reference/contract/guest-protocol.ts';
import { reseedVersions } from '#reference/contract/reseed.ts';
import { fieldOf, isObject, type JsonObject } from '../decisions/json-values.ts';
import { parseAddress } from '../decisions/pin-address/ip-address.ts';
import { readPrefix } from './eth0.ts';

/** A sentence: what is wrong. */
export type Reading<T> = { readonly request: T } | { readonly error: string };

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(check);
const shaped =
  (shape: Shape): Check =>
  (value) =>
    isObject(value) && wrongField(shape, value) === null;
const integer =
  (least: number, most: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const text: Check = (value) => typeof value === 'string' && !value.includes('\0');
const isTrue: Check = (value) => value === true;
const isBoolean: Check = (value) => typeof value === 'boolean';
const address: Check = (value) => typeof value === 'string' && parseAddress(value) !== null;
const prefix: Check = (value) => typeof value === 'string' && readPrefix(value) !== null;
const words =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const base64: Check = (value) =>
  typeof value === 'string' &&
  value.length <= maxBase64Octets &&
  value.length % 4 === 0 &&
  /^[A-Za-z0-9+/]*={0,2}$/.test(value);

const maxBase64Octets = 43_692;
/** What a timer of Node can wait. */
const maxTimeoutMs = 2 ** 31 - 1;
const maxPathOctets = 4_095;
/** Of Linux: PID_MAX_LIMIT. */
const maxProcesses = 1 << 22;
const minMemoryOctets = 1 << 20;

/** Absolute, and in its one form. */
export const isPath: Check = (value) =>
  text(value) &&
  Buffer.byteLength(value as string) <= maxPathOctets &&
  (value === '/' ||
    ((value as string).startsWith('/') &&
      (value as string)
        .slice(1)
        .split('/')
        .every((part) => part !== '' && part !== '.' && part !== '..')));

const environment: Check = (value) =>
  isObject(value) &&
  Object.keys(value).length <= maxArguments &&
  Object.entries(value).every(([name, content]) => /^[^=\0]+$/.test(name) && text(content));

const program: Shape = {
  argv: (value) =>
    listOf(text, maxArguments)(value) &&
    (value as string[])[0] !== undefined &&
    (value as string[])[0] !== '',
  env: optional(environment),
  cwd: optional(isPath),
  timeout_ms: integer(1, maxTimeoutMs),
};

const network = shaped({
  address: prefix,
  gateway: address,
  address6: optional(prefix),
  gateway6: optional(address),
  resolvers: listOf(address, 8),
  mtu: optional(integer(576, 65_535)),
});

const volume = shaped({
  serial: words(/^[A-Za-z0-9_-]{1,20}$/),
  path: (value) => isPath(value) && value !== '/',
  readonly: isBoolean,
});

const hostname = words(/^(?=.{1,64}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);

const controlShapes: Readonly<Record<ControlRequest['method'], Shape>> = {
  ping: {},
  facts: {},
  init: { ...program, background: optional(isTrue) },
  prepare_snapshot: { allow_processes: optional(listOf(shaped({ comm: words(/^[^\0]{1,15}$/) }), 64)) },
  notify_forked: {
    version: (value) => Number.isInteger(value),
    generation: (value) => typeof value === 'number',
    nonce: (value) => typeof value === 'string',
    seed: (value) => typeof value === 'string',
    host_wall_clock_nanos: integer(0, 2 ** 63 - 1),
    network: optional(network),
    volumes: optional(listOf(volume, 16)),
    hostname: optional(hostname),
  },
  release: { generation: (value) => typeof value === 'number' },
};

const serviceShapes: Readonly<Record<ServiceRequest['method'], Shape>> = {
  exec: {
    ...program,
    stdin: optional(isBoolean),
    max_output_octets: integer(0, Number.MAX_SAFE_INTEGER),
    max_processes: optional(integer(1, maxProcesses)),
    max_memory_octets: optional(integer(minMemoryOctets, Number.MAX_SAFE_INTEGER)),
  },
  stdin: { data: base64 },
  stdin_end: {},
  kill: { signal: words(/^SIG[A-Z0-9]{2,8}$/) },
  read: { path: isPath, max_octets: integer(0, Number.MAX_SAFE_INTEGER) },
  write: { path: isPath, mode: integer(0, 0o7777) },
  data: { data: base64, end: optional(isTrue) },
  list: { path: isPath },
  stat: { path: isPath },
  remove: { path: isPath },
  ack: { chunks: integer(1, 1_000) },
  cancel: {},
};

/** What is wrong with it, or null. Names come from the shape, never from the value. */
function wrongField(shape: Shape, value: JsonObject, besides: readonly string[] = []): string | null {
  for (const name of Object.keys(shape)) {
    if (shape[name]?.(fieldOf(value, name)) !== true) return `${name} is missing or not what it should be`;
  }
  const unknown = Object.keys(value).some((name) => !Object.hasOwn(shape, name) && !besides.includes(name));
  return unknown ? 'it has a field that this method does not know' : null;
}

function objectIn(line: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : null;
  } catch {
    // The parser's own words repeat what was written.
    return null;
  }
}

function argumentsError(request: object): string | null {
  if (!('argv' in request)) return null;
  const { argv, env = {} } = request as ExecRequest;
  const all = [...argv, ...Object.entries(env).flat()];
  const octets = all.reduce((sum, one) => sum + Buffer.byteLength(one) + 1, 0);
  return octets > maxExecOctets ? `argv and env are longer than ${maxExecOctets} octets` : null;
}

function read<T>(shapes: Readonly<Record<string, Shape>>, value: JsonObject, besides: string[]): Reading<T> {
  const method = fieldOf(value, 'method');
  const shape = typeof method === 'string' && Object.hasOwn(shapes, method) ? shapes[method] : undefined;
  if (shape === undefined) return { error: `method is none of ${Object.keys(shapes).join(', ')}` };
  const error = wrongField(shape, value, ['method', ...besides]) ?? argumentsError(value);
  // Every field of it was checked just now.
  return error === null ? { request: value as T } : { error };
}

/** Before its fields, which are of that version. */
function versionError(value: JsonObject): string | null {
  const version = fieldOf(value, 'version');
  if (!Number.isInteger(version) || reseedVersions.includes(version as number)) return null;
  return `version ${version} is not spoken here; spoken: ${reseedVersions}`;
}

/** @param line null: it was too long */
export function readControl(line: string | null): Reading<ControlRequest> {
  if (line === null) return { error: 'the line is too long' };
  const value = objectIn(line);
  if (value === null) return { error: 'the line is no JSON object' };
  const error = versionError(value);
  return error === null ? read(controlShapes, value, []) : { error };
}

/** `id` 0: it names no request. */
export function readService(line: string | null): Reading<ServiceRequest> & { readonly id: number } {
  if (line === null) return { id: 0, error: 'the line is too long' };
  const value = objectIn(line);
  if (value === null) return { id: 0, error: 'the line is no JSON object' };
  const id = fieldOf(value, 'id');
  if (!integer(1, Number.MAX_SAFE_INTEGER)(id)) return { id: 0, error: 'id is no positive integer' };
  return { id: id as number, ...read<ServiceRequest>(serviceShapes, value, ['id']) };
}
