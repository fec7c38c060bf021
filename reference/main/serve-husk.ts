/**
 * Wires one husk over a VMM, a datapath and a resolver, and its control over a local socket.
 * Invariant: what it was given is taken back when `close` has ended: VM, tap, rules, resolver, socket.
 */
import type { ListeningPlace } from '#reference/base/line-server.ts';
import type { Log } from '#reference/base/log.ts';
import type { DatapathPort } from '#reference/contract/datapath-port.ts';
import type { DnsProxyPort } from '#reference/contract/dns-port.ts';
import type { VmmPort } from '#reference/contract/vmm-port.ts';
import { Activation } from '../fork-engine/activation.ts';
import { openControlSocket } from '../husk/control-socket.ts';
import { Husk } from '../husk/husk.ts';
import { HuskControl } from '../husk/husk-control.ts';
import { takeTemplate } from '../husk/node-templates.ts';
import { NodeWitnesses } from '../husk/node-witnesses.ts';
import type { HuskConfig } from './husk-config.ts';

export interface ServeHuskOptions {
  readonly config: HuskConfig;
  readonly control: ListeningPlace;
  /** Of each leg of the gate. */
  readonly gateMs: number;
  /** Until forkd has handed the template over: it hashes one at the first call after its start. */
  readonly templateMs: number;
  readonly log: Log;
}

/** All of them are the husk's from then on. */
export interface HuskMachinery {
  readonly vmm: VmmPort;
  readonly datapath: DatapathPort;
  readonly dns: DnsProxyPort;
}

export interface ServedHusk {
  readonly husk: Husk;
  readonly control: HuskControl;
  /** All of it is tried. @throws what could not be taken back, first of all */
  close(): Promise<void>;
}

/** @throws CodedError `control-socket-taken`; then everything that it was given is closed */
export async function serveHusk(
  { config, control: place, gateMs, templateMs, log }: ServeHuskOptions,
  { vmm, datapath, dns }: HuskMachinery,
): Promise<ServedHusk> {
  const { node, pod, sandbox } = config;
  const witnesses = new NodeWitnesses(node, { deadlineMs: gateMs });
  const activation = new Activation(witnesses, log, { deadlineMs: gateMs });
  const husk = new Husk(sandbox, { vmm, activation, datapath, dns, pod, log });
  const take = (digest: string, signal: AbortSignal) =>
    takeTemplate(node, { vmm, digest, deadlineMs: templateMs, signal });
  const control = new HuskControl(husk, take, log);
  const endMachinery = () =>
    allOf([() => witnesses.close(), () => dns.stop(), async () => datapath.shutDown(), () => vmm.close()]);
  try {
    const socket = await openControlSocket(place, (value) => control.answer(value), log);
    const close = () => {
      // Nobody new is heard while the husk ends; who asked before is answered.
      const drained = socket.close();
      return allOf([() => control.end(), () => drained, endMachinery]);
    };
    return { husk, control, close };
  } catch (error) {
    await endMachinery();
    throw error;
  }
}

/** One after the other, whatever the ones before it have thrown. @throws the first of that */
async function allOf(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) await step().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/**
 * Says that it listens, and serves until the VM has ended, somebody has asked for that, or `over` has.
 * @throws CodedError what the husk has failed of, once nothing of it is left; what is left
 */
export async function untilOver({ husk, control, close }: ServedHusk, over: Promise<void>): Promise<void> {
  process.stdout.write('{"ready":true}\n');
  // What could not be taken away is thrown by the closing.
  await Promise.race([over, husk.ended.catch(() => undefined)]);
  await close();
  if (control.failure !== null) throw control.failure;
}
