/**
 * The guest agent, wired: PID 1 of a VM, on two channels to its host.
 * Invariant: what must not happen ends it, and with it the VM: a half-alive agent answers for nothing.
 */
import { Agent } from './agent.ts';
import type { Channel } from './channel.ts';
import { controlHandler } from './control-handler.ts';
import { Links } from './eth0.ts';
import { exitAtOnce } from './exit-at-once.ts';
import { Generators, replaceMathRandom } from './generators.ts';
import { ForkFiles } from './guest-files.ts';
import { runInitCommand } from './init-command.ts';
import { kernelFacts } from './kernel-facts.ts';
import { Reaper } from './reaper.ts';
import { Rehearsal } from './rehearsal.ts';
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
  const rehearsal = new Rehearsal(links, starter);
  const agent = new Agent({
    generators,
    repair: {
      calls: systemCalls,
      files: new ForkFiles(),
      generators,
      configureNetwork: (network) => links.configure(network),
      mountVolume: (volume) => volumes.mount(volume),
    },
    workload,
    detachVolumes: () => volumes.detach(),
    inFlight: () => served.inFlight,
    init: (request) => runInitCommand(starter, request),
    facts: kernelFacts,
    rehearseExec: () => rehearsal.exec(),
    rehearseFork: () => rehearsal.fork(),
    log,
  });
  const served = new Services({ starter, agent, fail: failure.reject });
  reaper.start();
  log('ready');
  await Promise.race([
    Promise.all([control.serve(controlHandler(agent)), services.serve(served)]),
    failure.promise,
  ]);
}
