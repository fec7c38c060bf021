/** The stand-in refuses what no adapter of ours asks for: a table of requests and of Firecracker's answers. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StandInVm } from './stand-in-vm.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stand-in-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const json = (body: object) => JSON.stringify(body);
const eth0 = { iface_id: 'eth0', host_dev_name: 'no-such-tap' };
const body = /^An error occurred when deserializing the json body of a request: /;

test.each([
  ['PUT', '/drives/root', json({}), /^Invalid request method and\/or path: PUT \/drives\/root\.$/],
  ['DELETE', '/vsock', json({}), /^Invalid request method and\/or path/],
  ['PUT', '/snapshot/erase', json({}), /^Invalid request method and\/or path/],
  ['PUT', '/network-interfaces/eth0/mtu', json(eth0), /^Invalid request method and\/or path/],
  ['PUT', '/vsock', '', /^Empty PUT request\.$/],
  ['PATCH', '/vm', '', /^Empty PATCH request\.$/],
  ['GET', '/version', json({}), /^GET request cannot have a body\.$/],
  ['PUT', '/vsock', '{"guest_cid": 3,', body],
  ['PUT', '/vsock', json({ guest_cid: 3, uds_path: 'v', more: 1 }), body],
  ['PUT', '/vsock', json({ guest_cid: '3', uds_path: 'v' }), body],
  ['PUT', '/machine-config', json({ vcpu_count: 33, mem_size_mib: 1 }), body],
  ['PUT', '/machine-config', json({ vcpu_count: 1.5, mem_size_mib: 1 }), body],
  ['PUT', '/network-interfaces', json(eth0), /^The ID cannot be empty\.$/],
  ['PUT', '/network-interfaces/eth-0', json({ ...eth0, iface_id: 'eth-0' }), /^API Resource IDs can only/],
  ['PUT', '/network-interfaces/eth1', json(eth0), /^The id from the path does not match/],
  ['PUT', '/network-interfaces/eth0', json({ ...eth0, guest_mac: '02:00' }), body],
  ['PUT', '/network-interfaces/eth0', json({ ...eth0, mtu: 60 }), body],
  [
    'PUT',
    '/network-interfaces/eth0',
    json(eth0),
    /^Network config error: .*Open tap device failed: .*no-such-tap$/,
  ],
  ['PATCH', '/vm', json({ state: 'Paused' }), /not supported before starting the microVM/],
  ['PUT', '/actions', json({ action_type: 'FlushMetrics' }), /not supported before starting the microVM/],
  ['PUT', '/actions', json({ action_type: 'InstanceStart' }), /without kernel configuration/],
  [
    'PUT',
    '/snapshot/create',
    json({ snapshot_path: 's', mem_file_path: 'm' }),
    /before starting the microVM/,
  ],
  ['PUT', '/snapshot/load', json({ snapshot_path: 's' }), body],
])('%s %s %s is refused', async (method, path, text, fault) => {
  const answer = await new StandInVm().handle(method, path, text);
  expect(answer).toEqual({ fault: expect.stringMatching(fault) });
});

test('tells its version and its state', async () => {
  const vm = new StandInVm();
  expect((await vm.handle('GET', '/version', '')).data).toEqual({ firecracker_version: '0.0.0-stand-in' });
  expect((await vm.handle('GET', '/', '')).data).toMatchObject({ state: 'Not started' });
});

/** A snapshot of a machine with an eth0 whose tap is not there, and with no vsock. */
function snapshot(memoryMiB: number): { readonly snapshot_path: string; readonly mem_backend: object } {
  const [state, memory] = [join(folder, 'state'), join(folder, 'memory')];
  writeFileSync(state, json({ memoryMiB: 8, configured: [], interfaces: [['eth0', eth0]] }));
  writeFileSync(memory, '{}');
  truncateSync(memory, memoryMiB << 20);
  return { snapshot_path: state, mem_backend: { backend_type: 'File', backend_path: memory } };
}

test.each([
  ['memory of another length', 4, {}, /another length/],
  ['a tap that is not there', 8, {}, /Open tap device failed/],
  [
    'an override of an interface that it has not',
    8,
    { network_overrides: [{ iface_id: 'eth1', host_dev_name: 'x' }] },
    /Unknown Network Device/,
  ],
])('a load of %s is refused, and ends the process', async (_what, memoryMiB, more, fault) => {
  const answer = await new StandInVm().handle(
    'PUT',
    '/snapshot/load',
    json({ ...snapshot(memoryMiB), ...more }),
  );
  expect(answer).toEqual({
    fault: expect.stringMatching(new RegExp(`^Load snapshot error: Failed to restore .*${fault.source}`)),
    isFatal: true,
  });
});
