/**
 * The guest that the VMM's contract speaks of: busybox and a shell, on the kernel of the lab.
 * Invariant: built from what the lock file pins, into a file whose digest is given with it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultKernel } from '#kvm-lab/artifacts/artifacts.ts';
import { unpacked } from '#kvm-lab/artifacts/debian-package.ts';
import { readModule } from '#kvm-lab/artifacts/kernel-module.ts';
import { readLock, readPinned, sha256 } from '#kvm-lab/artifacts/lock.ts';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { newcArchive } from '#reference/base/newc-archive.ts';
import { close } from '#reference/base/syscalls.ts';
import { channelNames } from '#reference/contract/guest-protocol.ts';
import type { BootSpec, Machine } from '#reference/contract/vmm-port.ts';
import { openVerified } from '#reference/vmm/sealed-files.ts';

const script = (modules: readonly string[]) => `#!/bin/busybox sh
PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
${modules.map((name) => `insmod /${name}`).join('\n')}
echo 0 > /proc/sys/kernel/kptr_restrict
port() {
  while :; do
    for p in /sys/class/virtio-ports/*; do
      [ "$(cat $p/name 2> /dev/null)" = $1 ] && [ -c /dev/\${p##*/} ] && echo /dev/\${p##*/} && return
    done
    usleep 1000
  done
}
# Until somebody is there, a port reads as if it were at its end.
lines() {
  exec 3<> $(port $1)
  while :; do if read -r word rest <&3; then $2 >&3; else usleep 2000; fi; done
}
echoed() { echo "services $word\${rest:+ $rest}"; }
kept=nothing
disk() {
  for d in /sys/block/*; do [ "$(cat $d/serial 2> /dev/null)" = $1 ] && echo /dev/\${d##*/} && return; done
  echo /dev/none
}
answer() {
  case $word in
    ping) echo pong ;;
    print) echo "$rest" > /dev/console; echo ok ;;
    remember) kept=$rest; echo ok ;;
    recall) echo "$kept" ;;
    disk-read) first=$(head -c 512 $(disk $rest) | tr -d '\\0' | head -n 1); echo "\${first:-nothing}" ;;
    disk-write) set -- $rest
      if printf '%s\\n' $2 | dd of=$(disk $1) bs=512 conv=sync,fsync,notrunc 2> /dev/null
      then echo ok; else echo refused; fi ;;
    disk-fill) dd if=/dev/urandom of=$(disk $rest) bs=64k conv=fsync 2> /dev/null; echo ok ;;
    # It renews itself when somebody reads and half of the time since the boot has passed since it last did.
    reseed) end=$(($(cut -d . -f 1 /proc/uptime) * 2 + 2))
      while [ $(cut -d . -f 1 /proc/uptime) -le $end ]; do head -c 1 /dev/urandom > /dev/null; usleep 100000; done
      echo ok ;;
    address) ip address add $rest dev eth0; ip link set eth0 up; echo ok ;;
    fill) dd if=/dev/zero of=/kept bs=1M count=$rest 2> /dev/null; echo ok ;;
    flood) yes flooded | head -c $rest > /dev/console; echo ok ;;
    reach) ping -c 1 -W 20 $rest > /dev/null && echo reached ;;
    spin) while :; do :; done ;;
    forks) dmesg | grep -c 'reseeded due to virtual machine fork' ;;
    symbol) set -- $(grep ' base_crng$' /proc/kallsyms); echo \${1:-none} ;;
    release) uname -r ;;
    die) reboot -f ;;
  esac
}
lines ${channelNames.services} echoed &
lines ${channelNames.control} answer
`;

/** Modules of the channels, of eth0 and of volumes. */
const loaded = /\/drivers\/virtio\/|\/virtio_console\.|failover|\/virtio_net\.|\/virtio_blk\./;

export interface ContractGuest {
  readonly kernel: string;
  readonly kernelSha256: string;
  readonly initrd: string;
  readonly initrdSha256: string;
  readonly commandLine: string;
}

/** @param folder where the initrd is written to */
export async function contractGuest(folder: string, kernelName = defaultKernel): Promise<ContractGuest> {
  const { kernels, packages } = readLock();
  const locked = kernels[kernelName];
  const busybox = packages.find((one) => one.package === 'busybox-static');
  if (locked === undefined || busybox === undefined)
    throw new Error('the lock file lacks what the guest is of');
  const [kernelFolder, busyboxFolder] = [await unpacked(locked, silent), await unpacked(busybox, silent)];
  const modules = locked.modules
    .filter((path) => loaded.test(path))
    .map((path) => {
      const packed = readPinned(`${kernelFolder}/${path}`, locked.files[path], path);
      const name = path.replace(/^.*\//, '').replace(/\.xz$/, '');
      return { kind: 'file' as const, name, mode: 0o644, data: readModule(path, packed).data };
    });
  const [program = '', digest] = Object.entries(busybox.files)[0] ?? [];
  const chunks = newcArchive([
    ...['bin', 'dev', 'proc', 'sys'].map((name) => ({ kind: 'folder' as const, name, mode: 0o755 })),
    { kind: 'character-device', name: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    ...modules,
    { kind: 'file', name: 'init', mode: 0o755, data: Buffer.from(script(modules.map(({ name }) => name))) },
    {
      kind: 'file',
      name: 'bin/busybox',
      mode: 0o755,
      data: readPinned(`${busyboxFolder}/${program}`, digest, 'busybox'),
    },
  ]);
  const initrd = join(folder, 'contract-guest.cpio');
  writeFileSync(initrd, Buffer.concat(chunks), { mode: 0o600 });
  return {
    kernel: `${kernelFolder}/${locked.kernel}`,
    kernelSha256: locked.files[locked.kernel] ?? '',
    initrd,
    initrdSha256: sha256(chunks),
    // As the lab's: an emulated timer on a busy host ticks too late for the kernel's check of it.
    commandLine: 'console=ttyS0 quiet panic=-1 no_timer_check',
  };
}

const silent = () => undefined;

/** A guest to boot, and how to be rid of what it is of. */
export interface ContractBoot {
  readonly spec: BootSpec;
  close(): void;
}

/** @param machine what differs from the smallest one */
export async function contractBoot(
  machine: Partial<Machine> = {},
  kernelName?: string,
): Promise<ContractBoot> {
  const folder = makeLabFolder('contract');
  try {
    const guest = await contractGuest(folder, kernelName);
    const open = (destination: string, sha256: string) =>
      openVerified({ destination, sha256, allowUnverified: false });
    const kernel = await open(guest.kernel, guest.kernelSha256);
    const initrd = await open(guest.initrd, guest.initrdSha256);
    return {
      spec: {
        machine: {
          memoryMiB: 96,
          cpus: 1,
          cpuModel: 'max',
          guestMac: null,
          generationId: 'none',
          ...machine,
        },
        kernel,
        initrd,
        commandLine: guest.commandLine,
        place: { tapFd: null },
      },
      close: () => {
        close(kernel.fd);
        close(initrd.fd);
      },
    };
  } finally {
    removeLabFolder(folder);
  }
}
