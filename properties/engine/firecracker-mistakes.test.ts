/**
 * The stand-in for Firecracker refuses what Firecracker would: one-line mistakes of the adapter, each planted in a
 * process of its own, end its life with the refusal that belongs to them. Unplanted, the same life is lived.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Patch } from '../matrix/patch-source.ts';

const life = fileURLToPath(new URL('./firecracker-life.ts', import.meta.url));
const deadlineMs = 120_000;
const adapter = 'reference/vmm/firecracker/';

async function livedWith(patch: Patch | null): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [life, JSON.stringify(patch)], {
    timeout: deadlineMs,
  });
  return stdout.trim();
}

const requests = `${adapter}requests.ts`;
const mistakes: readonly (Patch & { readonly refused: RegExp })[] = [
  {
    ...{ id: 'a field by another name', file: requests, find: 'vcpu_count: cpus', replace: 'vcpus: cpus' },
    refused: /^PUT \/machine-config: 400: An error occurred when deserializing .*vcpu_count/,
  },
  {
    ...{ id: 'a field of another type', file: requests, find: 'smt: false', replace: "smt: 'off'" },
    refused: /^PUT \/machine-config: 400: .*boolean/,
  },
  {
    ...{ id: 'a field that is missing', file: requests, find: 'guest_cid: guestCid, ', replace: '' },
    refused: /^PUT \/vsock: 400: .*guest_cid/,
  },
  {
    ...{
      id: 'a CID that is the host’s',
      file: requests,
      find: 'const guestCid = 3',
      replace: 'const guestCid = 2',
    },
    refused: /^PUT \/vsock: 400: .*>= 3/,
  },
  {
    ...{ id: 'a path that is none', file: requests, find: "path: '/boot-source'", replace: "path: '/boot'" },
    refused: /^PUT \/boot: 400: Invalid request method and\/or path/,
  },
  {
    ...{
      id: 'a method that is none',
      file: requests,
      find: "method: 'PATCH', path: '/vm', body: { state: 'Resumed'",
    },
    replace: "method: 'PUT', path: '/vm', body: { state: 'Resumed'",
    refused: /^PUT \/vm: 400: Invalid request method and\/or path/,
  },
  {
    ...{ id: 'started before its kernel is named', file: requests },
    find: "    { method: 'PUT', path: '/machine-config', body: machineBody(machine) },",
    replace: "    { method: 'PUT', path: '/actions', body: { action_type: 'InstanceStart' } },",
    refused: /^PUT \/actions: 400: .*without kernel configuration/,
  },
  {
    ...{
      id: 'saved while it runs',
      file: requests,
      find: "body: { state: 'Paused' }",
      replace: "body: { state: 'Resumed' }",
    },
    refused: /^PUT \/snapshot\/create: 400: .*while running/,
  },
  {
    ...{ id: 'resumed before it is loaded', file: requests, find: '  return { method: ' },
    replace:
      "  return { method: 'PATCH', path: '/vm', body: { state: 'Resumed' } } as ApiRequest; return { method: ",
    refused: /^PATCH \/vm: 400: .*before starting the microVM/,
  },
  {
    ...{ id: 'a snapshot loaded after a boot resource', file: `${adapter}firecracker.ts` },
    find: 'requests: (tap) => [loadRequest(tap)]',
    replace:
      "requests: (tap) => [{ method: 'PUT', path: '/machine-config', body: machineBody(manifest.machine) }, loadRequest(tap)]",
    refused: /^PUT \/snapshot\/load: 400: .*not allowed after configuring boot-specific resources/,
  },
  {
    ...{ id: 'a snapshot loaded into what has booted', file: `${adapter}firecracker.ts` },
    find: 'requests: (tap) => bootRequests(machine, commandLine, tap)',
    replace: 'requests: (tap) => [...bootRequests(machine, commandLine, tap), loadRequest(tap)]',
    refused: /^PUT \/snapshot\/load: 400: .*after starting the microVM/,
  },
  {
    ...{ id: 'both ways to name the memory', file: requests, find: '    resume_vm: false,' },
    replace: "    resume_vm: false, mem_file_path: 'memory',",
    refused: /^PUT \/snapshot\/load: 400: An error occurred when deserializing/,
  },
  {
    ...{
      id: 'memory and state exchanged',
      file: requests,
      find: 'snapshot_path: ofDescriptor(saved.length + 1)',
    },
    replace: 'snapshot_path: ofDescriptor(saved.length)',
    refused: /^PUT \/snapshot\/load: 400: .*Failed to restore from snapshot/,
  },
  {
    ...{
      id: 'never resumed',
      file: `${adapter}firecracker-vm.ts`,
      find: 'await this.#process.call(resumeRequest);',
    },
    replace: '',
    refused: /^no answer to recall$/,
  },
  {
    ...{
      id: 'a flag that it does not know',
      file: `${adapter}firecracker-process.ts`,
      find: "'--api-sock', sockets.api",
    },
    replace: "'--api-socket', sockets.api",
    refused: /^Firecracker has ended; it said: Arguments parsing error/,
  },
  {
    ...{
      id: 'a greeting that is none',
      file: `${adapter}guest-channel.ts`,
      find: 'socket.write(`CONNECT ',
      replace: 'socket.write(`LISTEN ',
    },
    refused: /^no answer to remember template$/,
  },
  {
    ...{ id: 'the generator of another page', file: `${adapter}guest-memory.ts` },
    find: 'const within = address - ',
    replace: 'const within = 4_096 + address - ',
    refused: /^the generator is not seen$/,
  },
];

describe('the stand-in for Firecracker', () => {
  test('lets a life be lived that has no mistake in it', async () => {
    expect(await livedWith(null)).toBe('lived');
  });

  test.each(mistakes)('refuses $id', async ({ refused, ...patch }) => {
    expect(await livedWith(patch)).toMatch(refused);
  });
});
