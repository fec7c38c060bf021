/**
 * Puts counterexamples on the guest's end of its link and shows what the target counts. Invariant: nothing is
 * sent to a target that is not one's own, nor faster or longer than was said.
 */
import { Worker } from 'node:worker_threads';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Checked } from './claims-of-ruleset.ts';
import type { Facts } from './facts.ts';
import { parseDevice } from './flags.ts';
import { namespacePath } from './namespace.ts';

/** The lab's own namespaces: made by it, and gone with it. */
export const ownPrefix = 'huskproof-';

export interface SendFlags {
  readonly netns?: string;
  readonly sendOn?: string;
  readonly dryRun?: true;
  readonly iOwnThisTarget?: true;
}

export interface Shot {
  readonly claim: string;
  readonly part: string;
  readonly frame: string;
}

export interface SendPlan {
  readonly target: string;
  readonly device: string;
  readonly from: string;
  readonly shots: readonly Shot[];
  /** Counterexamples that need a flow first, or that this host sends itself. */
  readonly notSent: readonly string[];
}

/** What the target counted while a frame was on its way; only what changed. */
export interface Seen extends Shot {
  readonly counted: Readonly<Record<string, number>>;
}

export interface SendBounds {
  readonly perSecond: number;
  readonly timeLimitMs: number;
}

/** Throws CodedError `bad-nft-flag`, and `not-your-target` unless it is only to be shown. */
export function checkTarget(flags: SendFlags): { target: string; device: string; from: string } {
  const { netns, sendOn = '' } = flags;
  if (netns === undefined) {
    throw new CodedError(
      'bad-nft-flag',
      '--send-on has no target: a file is sent nothing',
      'name the target with --netns, and with --send-on the guest’s end of its link',
    );
  }
  const at = sendOn.indexOf('@');
  const device = parseDevice('--send-on', at < 0 ? sendOn : sendOn.slice(0, at));
  const from = at < 0 ? netns : sendOn.slice(at + 1);
  const own = netns.startsWith(ownPrefix) && from.startsWith(ownPrefix);
  if (!own && flags.iOwnThisTarget !== true && flags.dryRun !== true) {
    throw new CodedError(
      'not-your-target',
      `nothing is sent to ${netns}: it is no namespace of the lab (${ownPrefix}…)`,
      'see what would be sent with --dry-run; if the target is yours, say so with --i-own-this-target',
    );
  }
  return { target: netns, device, from };
}

/** A state that a packet has by itself: the first of a flow, or one that no flow begins with. */
const alone = ['new', 'invalid'];

export function planOf(checked: Checked, facts: Facts, where: ReturnType<typeof checkTarget>): SendPlan {
  const guests = new Set(facts.taps.map(({ device }) => device));
  const shots: Shot[] = [];
  const notSent: string[] = [];
  for (const { claim, parts } of checked.claims) {
    for (const part of parts) {
      if (part.outcome !== 'falsified') continue;
      const { device, fields, frame } = part.packet;
      const state = fields['ct state'] ?? 'new';
      if (device === null || !guests.has(device)) notSent.push(`${claim} ${part.name}: comes from elsewhere`);
      else if (!alone.includes(state)) notSent.push(`${claim} ${part.name}: needs a flow first (${state})`);
      else shots.push({ claim, part: part.name, frame });
    }
  }
  return { ...where, shots, notSent };
}

const startMs = 10_000;

/** Ends within the time limit, with what was sent until then. */
export async function send(plan: SendPlan, { perSecond, timeLimitMs }: SendBounds): Promise<Seen[]> {
  const workerData = {
    target: namespacePath(plan.target),
    from: namespacePath(plan.from),
    device: plan.device,
    shots: plan.shots,
    pauseMs: Math.max(1, Math.ceil(1_000 / perSecond)),
    timeLimitMs,
  };
  const worker = new Worker(new URL('send-worker.ts', import.meta.url), { workerData });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Seen[]>((resolve, reject) => {
      const late = () => reject(new Error(`not done within ${timeLimitMs + startMs} ms`));
      timer = setTimeout(late, timeLimitMs + startMs);
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`the sender ended with code ${code}`)));
    });
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new CodedError(
      'not-sent',
      `nothing more was sent on ${plan.device}: ${cause.message}`,
      'name an interface that is there with --send-on IF or IF@NAMESPACE, and run with the right to send on it',
      { cause },
    );
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
