/**
 * The guest agent, wired: PID 1 of a VM, on two channels to its host.
 * Invariant: what must not happen ends it, and with it the VM: a half-alive agent answers for nothing.
 */
import type { ControlReply } from '#reference/contract/guest-protocol.ts';
import { Agent } from './agent.ts';
import type { Channel, LineHandler } from './channel.ts';
import { Links } from './eth0.ts';
import { exitAtOnce } from './exit-at-once.ts';
import { Generators, replaceMathRandom } from './generators.ts';
import { fileWriter } from './guest-files.ts';
import { runInitCommand } from './init-command.ts';
import { kernelFacts } from './kernel-facts.ts';
import { readControl } from './read-request.ts';
import { Reaper } from './reaper.ts';
import { rehearseExec, rehearseFork } from './rehearsal.ts';
import { Services } from './services.ts';
import { systemCalls } from './system-calls.ts';
import { Volumes } from './volumes.ts';
import { CgroupWorkload } from './workload.ts';

export interface GuestOptions {
  readonly control: Channel;
  readonly services: Channel;
  log(sentence: string): void;
}

/** Ends with its channels. @throws what must not happen */
export async function runGuestAgent({ control, services, log }: GuestOptions): Promise<void> {
  exitAtOnce();
  replaceMathRandom();
  const reaper = new Reaper(systemCalls);
  const workload = new CgroupWorkload();
  workload.boundAll();
  const generators = new Generators(systemCalls);
  const links = new Links();
  const volumes = new Volumes(systemCalls);
  links.bringUp('lo');
  const starter = { workload, reaper };
  const failure = Promise.withResolvers<never>();
  const served = new Services({
    starter,
    refusal: (kind) => agent.refusal(kind),
    fail: failure.reject,
  });
  const agent = new Agent({
    generators,
    repair: {
      calls: systemCalls,
      files: fileWriter,
      generators,
      configureNetwork: (network) => links.configure(network),
      mountVolume: (volume) => volumes.mount(volume),
    },
    workload,
    detachVolumes: () => volumes.detach(),
    inFlight: () => served.inFlight,
    init: (request) => runInitCommand(starter, request),
    facts: kernelFacts,
    rehearseExec: () => rehearseExec(starter),
    rehearseFork: () => rehearseFork(links),
    log,
  });
  reaper.start();
  log('ready');
  await Promise.race([
    Promise.all([control.serve(controlHandler(agent)), services.serve(served)]),
    failure.promise,
  ]);
}

function controlHandler(agent: Agent): LineHandler {
  return {
    async line(line, send) {
      const reading = readControl(line);
      const reply: ControlReply =
        'error' in reading ? { ok: false, error: reading.error } : await agent.control(reading.request);
      await send(reply);
    },
    disconnected: () => undefined,
    isHeld: () => agent.isHeld,
  };
}
