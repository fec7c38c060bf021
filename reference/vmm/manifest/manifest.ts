/**
 * A snapshot's manifest: its canonical JSON, whose SHA-256 is the snapshot's name, and its check against what is there.
 * Invariant: every field counts; a difference is refused by the name of the field, without the values that may be long.
 */
import { createHash } from 'node:crypto';
import { CodedError } from '#reference/base/coded-error.ts';
import { reseedVersions } from '#reference/contract/reseed.ts';
import type { Accelerator, Machine, SnapshotManifest } from '#reference/contract/vmm-port.ts';

/** What has a canonical form: of an interface, its members. */
type Json<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends (...words: never) => unknown
    ? never
    : { readonly [Name in keyof T]: Json<T[Name]> };

/** RFC 8785 for what a manifest holds: members in order of their names, no white space. */
export function canonicalJson<T>(value: T & Json<T>): string {
  return written(value);
}

function written(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${written(member)}`).join(',')}}`;
}

export const manifestText = (manifest: SnapshotManifest): string => canonicalJson(manifest);

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

export function mismatch(field: string, what: string): CodedError {
  return new CodedError(
    'snapshot-mismatch',
    `the snapshot is not restored: ${field}: ${what}`,
    'build the template anew on this node',
  );
}

/** What restores a snapshot. */
export interface Environment {
  readonly vmm: SnapshotManifest['vmm'];
  readonly accelerator: Accelerator;
  /** argv that this VMM would give that machine. @throws CodedError `bad-machine` */
  argumentsOf(machine: Machine): readonly string[];
}

/** @throws CodedError `snapshot-mismatch` */
export function readManifest(text: string, digest: string, environment: Environment): SnapshotManifest {
  if (digestOf(text) !== digest) throw mismatch('digest', 'the manifest is another one');
  const manifest = JSON.parse(text) as SnapshotManifest;
  checkEnvironment(manifest, environment);
  return manifest;
}

/** The manifest is one that this VMM can restore. @throws CodedError `snapshot-mismatch` */
export function checkEnvironment(manifest: SnapshotManifest, environment: Environment): void {
  if (manifest.format !== 1) throw mismatch('format', 'this code reads format 1');
  const { vmm, accelerator } = environment;
  if (manifest.vmm.name !== vmm.name) throw mismatch('vmm.name', `here is ${vmm.name}`);
  if (manifest.vmm.version !== vmm.version) throw mismatch('vmm.version', `here is ${vmm.version}`);
  if (manifest.accelerator !== accelerator) throw mismatch('accelerator', `here is ${accelerator}`);
  const here = environment.argumentsOf(manifest.machine);
  const differing = here.findIndex((argument, index) => argument !== manifest.arguments[index]);
  if (differing >= 0 || here.length !== manifest.arguments.length) {
    throw mismatch('arguments', `this VMM would say ${here[differing] ?? 'fewer of them'}`);
  }
  if (!manifest.guest.protocolVersions.some((version) => reseedVersions.includes(version))) {
    throw mismatch('guest.protocolVersions', `the host speaks ${reseedVersions.join(', ')}`);
  }
}
