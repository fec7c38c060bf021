/**
 * A fork that runs before anybody asks for it, until its agent has answered a ping, and is paused again: what an
 * emulated CPU translates on the way to an answer is translated by then.
 * Invariant: nothing of a fork crosses (no seed, nonce or generation, no secret, nothing of a configuration), and no
 * workload runs: it is frozen. The gate holds the fork to what its generator was when it was paused, too.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { within } from '#reference/base/within.ts';
import { maxResponseLineOctets } from '#reference/contract/reseed.ts';
import type { GeneratorState, PreparedVm } from '#reference/contract/vmm-port.ts';
import { ControlChannel, readAnswer } from './control-channel.ts';

export interface Rehearsal {
  /** The fork's only one: an octet that nobody asked for ends it, while it waits as well. */
  readonly control: ControlChannel;
  /** Read while it was paused: the kernel may renew it by itself, which is no reseed. */
  readonly generator: GeneratorState | null;
}

export interface RehearsedVm extends Rehearsal {
  /** Paused. */
  readonly prepared: PreparedVm;
  /** Settles when there is nothing to go on with: its VM has ended, or its channel. */
  readonly over: Promise<unknown>;
}

/**
 * @param generation that the agent in it has seen; 0: none
 * @throws CodedError `fork-refused`, `guest-channel-ended`, `vmm-failed`; the VM is the caller's to stop
 */
export async function rehearse(
  prepared: PreparedVm,
  generation: number,
  deadlineMs: number,
): Promise<RehearsedVm> {
  const vm = await prepared.resume();
  const control = new ControlChannel(vm.channel('control'));
  const late = () => refused('its agent did not answer in time');
  const { line } = await within(control.ask({ method: 'ping' }, maxResponseLineOctets), deadlineMs, late);
  const answer = readAnswer(line);
  if (answer?.ok !== true || answer.phase !== 'frozen' || answer.generation !== generation) {
    throw refused('its agent is not as it was saved');
  }
  const paused = await vm.pause();
  const over = Promise.race([vm.ended, control.ended]);
  return { prepared: paused, control, generator: await vm.generator(), over };
}

function refused(why: string): CodedError {
  return new CodedError(
    'fork-refused',
    `a fork was not rehearsed: ${why}`,
    'keep forks of this template prepared only; if they are refused too, build it anew',
  );
}
