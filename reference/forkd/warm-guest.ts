/**
 * From a booted VM to a snapshot: the agent answers, init commands run, the workload freezes, the VM is saved.
 * Invariant: a guest that fails at any of it is no template; what it said is shown, bounded and without control
 * characters; the VM has ended in any case.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CodedError } from '#reference/base/coded-error.ts';
import { within } from '#reference/base/within.ts';
import type { TemplateSpec } from '#reference/contract/fork-engine-port.ts';
import { type ControlRequest, maxLineOctets } from '#reference/contract/guest-protocol.ts';
import { reseedVersions } from '#reference/contract/reseed.ts';
import type { GuestFacts, LoadedSnapshot, RunningVm } from '#reference/contract/vmm-port.ts';
import { ControlChannel, readAnswer } from '../fork-engine/control-channel.ts';

export interface WarmDeadlines {
  readonly bootMs: number;
  /** Of what the agent does by itself; an init command has its own. */
  readonly answerMs: number;
}

export const warmDeadlines: WarmDeadlines = { bootMs: 90_000, answerMs: 20_000 };

/** What a guest still does after its answer, and what its kernel put off, each of its forks would do again. */
const settleMs = 300;
const shownOctets = 4_096;
/** What the kernel prints when what a guest boots from is larger than its memory (init/initramfs.c). */
const noRoom = /Initramfs unpacking failed: write error/;
const hex16 = /^[0-9a-f]{16}$/;

type Answer = Readonly<Record<string, unknown>>;

function refused(what: string, cause?: unknown): CodedError {
  return new CodedError('template-refused', what, 'mend the image or its init commands, and build it again', {
    cause,
  });
}

/** What a guest printed, as one may show it. */
export function shown(octets: string): string {
  return octets
    .slice(-shownOctets)
    .replace(/[^\n\t\x20-\x7e]/g, '?')
    .trim();
}

/** @throws CodedError `template-refused`, `vmm-failed`; the VM is ended all the same */
export async function warmAndSave(
  vm: RunningVm,
  { init, allowProcesses }: Pick<TemplateSpec, 'init' | 'allowProcesses'>,
  deadlines: WarmDeadlines = warmDeadlines,
): Promise<LoadedSnapshot> {
  const control = new ControlChannel(vm.channel('control'));
  const { bootMs, answerMs } = deadlines;
  const ask = async (request: ControlRequest, ms: number): Promise<Answer> => {
    const late = () => refused(`the guest did not answer ${request.method} within ${ms} ms`);
    const { line } = await within(control.ask(request, maxLineOctets), ms, late);
    const answer = readAnswer(line);
    if (answer === null) throw refused(`the guest answered ${request.method} with what is no answer`);
    return answer;
  };
  try {
    const { versions } = await ask({ method: 'ping' }, bootMs);
    const spoken = Array.isArray(versions)
      ? versions.filter((one): one is number => Number.isInteger(one))
      : [];
    if (!spoken.some((version) => reseedVersions.includes(version))) {
      throw refused(
        `the agent speaks versions ${shown(spoken.join(', '))} of notify_forked; here: ${reseedVersions}`,
      );
    }
    const facts = factsOf(await ask({ method: 'facts' }, answerMs), spoken);
    for (const [index, command] of init.entries()) {
      checkInit(index, await ask({ method: 'init', ...command }, command.timeout_ms + answerMs));
    }
    checkFrozen(await ask({ method: 'prepare_snapshot', allow_processes: allowProcesses }, answerMs));
    // Nobody asks it anything any more: what it says now is not heard.
    vm.channel('control').pause();
    await wait(settleMs);
    return await vm.save(facts);
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'guest-channel-ended') throw error;
    const console = shown(vm.consoleTail());
    const why = noRoom.test(console) ? ', because its files do not fit into its memory' : '';
    throw refused(
      `the guest ended before it was a template${why}${console === '' ? '' : `; its console: ${console}`}`,
      error,
    );
  } finally {
    control.close();
    await vm.stop();
  }
}

function factsOf(answer: Answer, protocolVersions: readonly number[]): GuestFacts {
  const { ok, kernel_release: release, generator_symbol: symbol } = answer;
  if (ok !== true || typeof release !== 'string' || release.length > 128) {
    throw refused('the guest did not say which kernel it runs');
  }
  const isSymbol = typeof symbol === 'string' && hex16.test(symbol) && !/^0+$/.test(symbol);
  return { protocolVersions, kernelRelease: release, generatorSymbol: isSymbol ? symbol : null };
}

function checkInit(index: number, answer: Answer): void {
  if (answer.ok === true) return;
  const { error, exit_code: code, signal, timed_out: timedOut, output } = answer;
  const why =
    timedOut === true
      ? 'did not end in time'
      : typeof signal === 'string'
        ? `was ended by ${shown(signal)}`
        : typeof code === 'number'
          ? `ended with code ${code}`
          : `could not run${typeof error === 'string' ? `: ${shown(error)}` : ''}`;
  const said = typeof output === 'string' ? shown(Buffer.from(output, 'base64').toString('latin1')) : '';
  throw refused(`init[${index}] ${why}${said === '' ? '' : `; it said: ${said}`}`);
}

/** @throws CodedError `template-refused` */
export function checkFrozen(answer: Answer): void {
  const why = frozenFault(answer);
  if (why !== null) throw refused(why);
}

/** Why a guest may not be snapshotted, or null. */
export function frozenFault({ ok, error, processes }: Answer): string | null {
  if (ok === true) return null;
  const alive = Array.isArray(processes) ? processes.slice(0, 32) : [];
  const named = alive.map((one: unknown) => {
    const { pid, comm } = (one ?? {}) as { pid?: unknown; comm?: unknown };
    return `${shown(String(comm))} (${shown(String(pid))})`;
  });
  const what = typeof error === 'string' ? shown(error) : 'the workload did not freeze';
  return named.length === 0 ? what : `${what}: ${named.join(', ')}`;
}
