/** Opens what a run needs, hands it over, and closes it whatever comes. */
import { randomBytes } from 'node:crypto';
import { Pace } from '../pace.ts';
import { namesUnder } from './names.ts';
import type { Pinned } from './pinned-sets.ts';
import type { Settings } from './settings.ts';
import { Stage } from './stage.ts';
import { HostileUpstream } from './upstream.ts';

export interface Opened {
  readonly stage: Stage;
  readonly upstream: HostileUpstream;
}

export async function onStage<Result>(
  settings: Settings,
  signal: AbortSignal,
  work: (opened: Opened) => Promise<Result>,
  readPins?: () => Promise<Pinned>,
): Promise<Result> {
  const upstream = await HostileUpstream.open(settings.upstream);
  try {
    const { perSecond, durationMs, domain } = settings;
    const names = namesUnder(domain, `r${randomBytes(4).toString('hex')}`);
    const stage = new Stage(settings, upstream, names, new Pace(perSecond, durationMs, signal), readPins);
    return await work({ stage, upstream });
  } finally {
    await upstream.close();
  }
}
