/** Forks without end: as many as the machine makes and ends, some at once. */
import { availableParallelism } from 'node:os';
import { type Part, rate } from '../datapath/figures.ts';
import { bound, type Ground, say } from './ground.ts';
import { ownProcessorMs } from './processes.ts';

const seconds = 30;
const atOnce = 4;

export async function ratePart({ engine, vmm, template }: Ground): Promise<Part> {
  say(`rate: ${atOnce} at once for ${seconds} s`);
  const before = vmm.forks.length;
  const [startMs, ownBeforeMs] = [performance.now(), ownProcessorMs()];
  const gaps: number[] = [];
  let lastMs = startMs;
  const work = async () => {
    while (performance.now() - startMs < seconds * 1_000) {
      const { id } = await engine.fork({ template: template.id, network: null, secrets: [] });
      await engine.terminate(id);
      const nowMs = performance.now();
      gaps.push(nowMs - lastMs);
      lastMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const tookMs = performance.now() - startMs;
  const perSecond = (gaps.length * 1_000) / tookMs;
  const forks = vmm.forks.slice(before);
  const vmmMs = forks.reduce((sum, { vmmProcessorMs }) => sum + vmmProcessorMs, 0) / forks.length;
  const ownMs = (ownProcessorMs() - ownBeforeMs) / gaps.length;
  const cores = availableParallelism();
  return {
    measurements: [{ ...rate('forks made and ended, 4 at once', 'forks', gaps, { leads: true }), perSecond }],
    notes: [
      `sustained: ${perSecond.toFixed(1)} forks/s over ${(tookMs / 1_000).toFixed(0)} s on ${cores} cores, ${gaps.length} forks`,
      `processor time of each until its gate: ${vmmMs.toFixed(0)} ms in QEMU; ${ownMs.toFixed(0)} ms in this process, its end included`,
      bound('≥ 10 forks/s on 2 cores', perSecond, 'forks/s', perSecond >= 10),
    ],
  };
}
