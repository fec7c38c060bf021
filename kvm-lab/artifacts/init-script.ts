/**
 * The first process of a guest, until it becomes the agent: modules, then the agent as PID 1, which mounts the rest.
 * Invariant: when anything is missing the guest ends (its kernel panics): no half-made guest is ever snapshotted.
 */

/**
 * Of V8. An emulated CPU translates anew in each fork whatever it runs there: so nothing is compiled or collected in
 * one, and what it runs knows the shapes of what it sees.
 */
const runtimeFlags = [
  // What is collected before a snapshot, no fork collects.
  '--expose-gc',
  '--min-semi-space-size=4',
  '--max-semi-space-size=4',
  '--no-minor-gc-task',
  '--single-threaded-gc',
  '--no-lazy-feedback-allocation',
  // Those of `reference/guest/runtime-flags.ts`, for what runs before it.
  '--no-opt',
  '--no-maglev',
  '--no-sparkplug',
  '--no-flush-bytecode',
  '--no-memory-reducer',
];

/**
 * QEMU raises this event of ACPI when a fork is resumed. A kernel without a driver for the VM generation ID, of ACPI or
 * (from Linux 6.10) of its platform, does nothing with it, for which each fork would run the interpreter of ACPI.
 * @param sys where sysfs is
 */
export function muteGenerationEvent(sys = '/sys'): string[] {
  const event = `${sys}/firmware/acpi/interrupts/gpe05`;
  const [ofAcpi, ofPlatform] = ['acpi', 'platform'].map((bus) => `${sys}/bus/${bus}/drivers/vmgenid`);
  return [
    `if [ -e ${event} ] && [ ! -e ${ofAcpi} ] && [ ! -e ${ofPlatform} ]; then`,
    `  read -r event < ${event}`,
    `  case "$event" in *enabled*) echo disable > ${event} ;; esac`,
    'fi',
  ];
}

/** In the archive already, for the agent to mount on. */
export const mountPoints = ['proc', 'sys', 'dev', 'run', 'tmp'];

/**
 * @param modules paths in the guest, in the order in which they load
 * @param main path of the agent in the guest
 */
export function initScript(modules: readonly string[], main: string): string {
  return [
    '#!/bin/busybox sh',
    'set -e',
    'export PATH=/bin HOME=/ LANG=C',
    // Node asks it for its own path, and for how much memory there is.
    'busybox mount -t proc -o nosuid,nodev,noexec proc /proc',
    'busybox mount -t sysfs -o nosuid,nodev,noexec sysfs /sys',
    ...muteGenerationEvent(),
    ...modules.map((path) => `busybox insmod ${path}`),
    `exec node --disable-warning=ExperimentalWarning ${runtimeFlags.join(' ')} ${main}`,
    '',
  ].join('\n');
}
