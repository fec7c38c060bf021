/**
 * The command line of QEMU in two parts: what makes the machine, which is the same in a template and in all its forks
 * and stands in the manifest, and what is of one process alone.
 * Invariant: nothing secret, and no path but those of descriptors that the process was given.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { channelNames } from '#reference/contract/guest-protocol.ts';
import type { Accelerator, Machine } from '#reference/contract/vmm-port.ts';
import type { ProcessLimits } from '../confinement/confined-launcher.ts';
import { overlayOctets } from '../volumes/overlay.ts';
import { slotsFault } from '../volumes/volume-slots.ts';
import { volumeDevices } from './volume-devices.ts';

/** The process's descriptors; 0 is /dev/null, 1 and 2 are what it says of itself. */
export const descriptors = {
  monitor: 3,
  console: 4,
  control: 5,
  services: 6,
  memory: 7,
  /** Where QEMU writes what we ask it to. */
  scratch: 8,
  /** Of a boot; a fork has its device state there. */
  kernel: 9,
  initrd: 10,
  deviceState: 9,
} as const;
export const ofDescriptor = (fd: number) => `/proc/self/fd/${fd}`;

/** Translated code; the default would be as large as the guest. */
const translationMiB = 128;
const overheadMiB = 640;
const mebi = 1 << 20;
/** Above it the machine's memory has a hole. */
const maxMemoryMiB = 3_072;
const maxCpus = 16;
const staleGenerationId = '00000000-0000-4000-8000-000000000001';

/** @throws CodedError `bad-machine` */
export function machineArguments(machine: Machine, accelerator: Accelerator): string[] {
  checkMachine(machine, accelerator);
  const { memoryMiB, cpus, cpuModel, generationId, guestMac } = machine;
  const isDeterministic = machine.isDeterministic === true;
  const threads = isDeterministic ? 'single' : 'multi';
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-vga', 'none'],
    '-machine',
    'pc,usb=off,vmport=off,smm=off,hpet=off,graphics=off,dump-guest-core=off,suppress-vmdesc=on,memory-backend=memory',
    ...['-accel', accelerator === 'kvm' ? 'kvm' : `tcg,thread=${threads},tb-size=${translationMiB}`],
    ...(isDeterministic ? ['-icount', 'shift=2'] : []),
    ...[
      '-cpu',
      cpuModel,
      '-smp',
      `cpus=${cpus},maxcpus=${seatsOf(cpus, accelerator)}`,
      '-m',
      `${memoryMiB}M`,
    ],
    ...['-global', 'migration.send-configuration=off'],
    // A fork's place is nobody's before: there is nothing to announce, neither by it nor by its guest.
    ...['-global', 'migration.announce-rounds=0'],
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    ...['-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci,id=channels,addr=0x4,max_ports=3'],
    ...['-device', `virtserialport,bus=channels.0,nr=1,chardev=control,name=${channelNames.control}`],
    ...['-device', `virtserialport,bus=channels.0,nr=2,chardev=services,name=${channelNames.services}`],
    ...(guestMac === null ? [] : ['-device', `virtio-net-pci,netdev=eth0,mac=${guestMac},addr=0x5,romfile=`]),
    ...volumeDevices(machine),
    ...(generationId === 'none'
      ? []
      : ['-device', `vmgenid,guid=${generationId === 'fresh' ? 'auto' : staleGenerationId}`]),
  ];
}

/**
 * Where translated code is of a machine with one seat for a CPU, QEMU makes nothing atomic of what the guest locks
 * (`CF_PARALLEL`, accel/tcg), and its devices run beside it on a thread of their own: a guest that asked for the next
 * interrupt of a virtqueue then misses it, and waits for good. A seat that stays empty makes it atomic.
 */
const seatsOf = (cpus: number, accelerator: Accelerator) =>
  accelerator === 'tcg' ? Math.max(2, cpus) : cpus;

function checkMachine(machine: Machine, on: Accelerator): void {
  const { memoryMiB, cpus, cpuModel, guestMac, isDeterministic } = machine;
  const isWithin = (value: number, most: number) => Number.isInteger(value) && value >= 1 && value <= most;
  const fault = !isWithin(memoryMiB, maxMemoryMiB)
    ? `memoryMiB is not within 1 and ${maxMemoryMiB}`
    : !isWithin(cpus, maxCpus)
      ? `cpus is not within 1 and ${maxCpus}`
      : !/^[A-Za-z0-9][A-Za-z0-9._,=+-]{0,255}$/.test(cpuModel)
        ? 'cpuModel is no name of a CPU with its flags'
        : guestMac !== null && !/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/.test(guestMac)
          ? 'guestMac is no locally administered unicast MAC in lower case'
          : isDeterministic === true && on === 'kvm'
            ? 'only an emulated CPU has a deterministic clock'
            : slotsFault(machine);
  if (fault !== null) throw new CodedError('bad-machine', fault, 'correct the machine of the template');
}

const socketDevice = (id: string, fd: number) => ['-chardev', `socket,id=${id},fd=${fd}`];

/** Sockets and memory. @param tapFd the process's, or null */
export function placeArguments(
  { memoryMiB, guestMac }: Machine,
  isShared: boolean,
  tapFd: number | null,
): string[] {
  const share = isShared ? 'on' : 'off';
  const path = ofDescriptor(descriptors.memory);
  return [
    ...socketDevice('monitor', descriptors.monitor),
    ...['-mon', 'chardev=monitor,mode=control'],
    ...socketDevice('console', descriptors.console),
    ...socketDevice('control', descriptors.control),
    ...socketDevice('services', descriptors.services),
    ...['-object', `memory-backend-file,id=memory,size=${memoryMiB}M,mem-path=${path},share=${share}`],
    ...(guestMac === null
      ? []
      : ['-netdev', tapFd === null ? 'hubport,id=eth0,hubid=0' : `tap,id=eth0,fd=${tapFd},vhost=off`]),
  ];
}

/** The guest prepares for the CPUs that it has, not for a seat that stays empty. */
export function bootArguments({ cpus }: Machine, commandLine: string): string[] {
  const [kernel, initrd] = [ofDescriptor(descriptors.kernel), ofDescriptor(descriptors.initrd)];
  return ['-kernel', kernel, '-initrd', initrd, '-append', `${commandLine} nr_cpus=${cpus}`];
}

export const forkArguments: readonly string[] = ['-S', '-incoming', 'defer'];

export function limitsOf({ memoryMiB, cpus, volumes = [] }: Machine): ProcessLimits {
  const threadsMiB = 16 * cpus;
  const overlays = volumes.map(({ octets, access }) => (access === 'private' ? overlayOctets(octets) : 0));
  const dataOctets = (memoryMiB + translationMiB + overheadMiB + threadsMiB) * mebi;
  // It writes its memory when a fork is saved.
  const savedOctets = (memoryMiB + 64) * mebi;
  const fileOctets = Math.max(savedOctets, ...overlays);
  // Of its own it has a few threads, and one for each processor.
  const bounds = { memoryOctets: dataOctets + savedOctets, processes: 96 + cpus, cpus: cpus + 1 };
  return { dataOctets, fileOctets, files: 128, bounds };
}
