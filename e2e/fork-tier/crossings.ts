/**
 * Who hears what crosses between a host and a guest: every line, in order, in both directions.
 * Invariant: it only listens; what crosses is neither held up nor changed.
 */
import type { Duplex } from 'node:stream';
import { type ChannelName, channelNames } from '#reference/contract/guest-protocol.ts';
import type { LoadedSnapshot, PreparedVm, RunningVm, VmmPort } from '#reference/contract/vmm-port.ts';

export interface Crossing {
  readonly channel: ChannelName;
  readonly to: 'guest' | 'host';
  readonly text: string;
}

export type Hear = (crossing: Crossing) => void;

const maxCrossings = 2_000;

/** What crosses from now on; the first of it. */
export function crossingsOf(vm: RunningVm, hear?: Hear): Crossing[] {
  const crossings: Crossing[] = [];
  for (const channel of Object.keys(channelNames) as ChannelName[]) {
    listen(vm.channel(channel), (to, octets) => {
      const crossing = { channel, to, text: octets.toString('latin1') };
      if (crossings.length < maxCrossings) crossings.push(crossing);
      hear?.(crossing);
    });
  }
  return crossings;
}

/** Beside its methods: a listener of its events would make it flow before its owner reads. */
function listen(stream: Duplex, heard: (to: 'guest' | 'host', octets: Buffer) => void): void {
  const write = stream.write.bind(stream) as (...words: unknown[]) => boolean;
  const emit = stream.emit.bind(stream) as (...words: unknown[]) => boolean;
  Object.assign(stream, {
    write: (chunk: string | Uint8Array, ...rest: unknown[]) => {
      heard('guest', Buffer.from(chunk));
      return write(chunk, ...rest);
    },
    emit: (event: string, ...values: unknown[]) => {
      if (event === 'data') heard('host', values[0] as Buffer);
      return emit(event, ...values);
    },
  });
}

/** The same VMM; each of its forks is shown when it runs, before whoever asked for it has it. */
export function shown(vmm: VmmPort, show: (vm: RunningVm, snapshot: LoadedSnapshot) => void): VmmPort {
  const prepare: VmmPort['prepare'] = async (snapshot, place) => {
    const prepared: PreparedVm = await vmm.prepare(snapshot, place);
    return {
      channel: (name) => prepared.channel(name),
      resume: async () => {
        const vm = await prepared.resume();
        show(vm, snapshot);
        return vm;
      },
      stop: () => prepared.stop(),
    };
  };
  return {
    name: vmm.name,
    version: vmm.version,
    accelerator: vmm.accelerator,
    argumentsOf: (machine) => vmm.argumentsOf(machine),
    boot: (spec) => vmm.boot(spec),
    prepare,
    store: (snapshot, folder) => vmm.store(snapshot, folder),
    load: (folder, digest) => vmm.load(folder, digest),
    adopt: (handed, digest) => vmm.adopt(handed, digest),
    close: () => vmm.close(),
  };
}

/** Methods of the lines that the host sent, each with its channel, in order. */
export function methodsTo(crossings: readonly Crossing[]): string[] {
  return crossings
    .filter(({ to }) => to === 'guest')
    .flatMap(({ channel, text }) =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map(
          (line) =>
            `${channel}: ${/"method":"(\w+)"/.exec(line)?.[1] ?? /"lab":"([^"]+)"/.exec(line)?.[1] ?? '?'}`,
        ),
    );
}
