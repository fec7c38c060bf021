/**
 * The requests of a VM's life, in the order in which Firecracker takes them.
 * Invariant: paths are those of descriptors, or names in the folder that the process starts in.
 */
import type { Machine } from '#reference/contract/vmm-port.ts';

export interface ApiRequest {
  readonly method: 'PUT' | 'PATCH';
  readonly path: string;
  readonly body: object;
}

/** The child's descriptors; 0 is /dev/null, 1 and 2 are the console. */
const firstFd = 3;
/** What every process is given first: where its memory and its state go when it is saved. */
export const saved = ['memory', 'device-state'] as const;
/** Names in the folder that the process starts in: relative, so that they are short. */
export const sockets = { api: 'api', vsock: 'vsock' } as const;
const guestCid = 3;
const interfaceId = 'eth0';
const ofDescriptor = (index: number) => `/proc/self/fd/${firstFd + index}`;

/** Definition `MachineConfiguration`. `cpuModel` is a template's name, or `None`. */
export function machineBody({ cpus, memoryMiB, cpuModel }: Machine) {
  return { vcpu_count: cpus, mem_size_mib: memoryMiB, smt: false, cpu_template: cpuModel };
}

/** Kernel and initrd are the descriptors behind those of `saved`. @param tap its name; null: there is no eth0 */
export function bootRequests(machine: Machine, commandLine: string, tap: string | null): ApiRequest[] {
  const bootSource = {
    kernel_image_path: ofDescriptor(saved.length),
    initrd_path: ofDescriptor(saved.length + 1),
    boot_args: commandLine,
  };
  const eth0 = { iface_id: interfaceId, host_dev_name: tap, guest_mac: machine.guestMac };
  const network: ApiRequest[] =
    tap === null ? [] : [{ method: 'PUT', path: `/network-interfaces/${interfaceId}`, body: eth0 }];
  return [
    { method: 'PUT', path: '/machine-config', body: machineBody(machine) },
    { method: 'PUT', path: '/boot-source', body: bootSource },
    { method: 'PUT', path: '/vsock', body: { guest_cid: guestCid, uds_path: sockets.vsock } },
    ...network,
    { method: 'PUT', path: '/actions', body: { action_type: 'InstanceStart' } },
  ];
}

/** Memory and state are the descriptors behind those of `saved`. */
export function loadRequest(tap: string | null): ApiRequest {
  const body = {
    snapshot_path: ofDescriptor(saved.length + 1),
    mem_backend: { backend_type: 'File', backend_path: ofDescriptor(saved.length) },
    resume_vm: false,
    vsock_override: { uds_path: sockets.vsock },
    ...(tap === null ? {} : { network_overrides: [{ iface_id: interfaceId, host_dev_name: tap }] }),
  };
  return { method: 'PUT', path: '/snapshot/load', body };
}

export const resumeRequest: ApiRequest = { method: 'PATCH', path: '/vm', body: { state: 'Resumed' } };

export const pauseRequest: ApiRequest = { method: 'PATCH', path: '/vm', body: { state: 'Paused' } };

export function saveRequests(): ApiRequest[] {
  const [memory, state] = saved.map((_, index) => ofDescriptor(index));
  const body = { snapshot_type: 'Full', snapshot_path: state, mem_file_path: memory };
  return [pauseRequest, { method: 'PUT', path: '/snapshot/create', body }];
}
