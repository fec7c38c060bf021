/** Resident memory of ours under a load of many minutes: steady, and under its bound. */
import { digits, mebibytes, type Part } from './figures.ts';
import type { RunningForwarder } from './running-forwarder.ts';

const mostOctets = 150 << 20;
/** The second half may be so much above the first. */
const mostGrowth = 1.1;

export async function memoryPart(ours: RunningForwarder, minutes: number): Promise<Part> {
  const { residentOctets, answered, lost, failed } = await ours.load({ measureMs: minutes * 60_000 });
  const half = Math.floor(residentOctets.length / 2);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [first, second] = [mean(residentOctets.slice(0, half)), mean(residentOctets.slice(half))];
  const most = Math.max(...residentOctets);
  const isSteady = second <= first * mostGrowth;
  const word = isSteady && most < mostOctets ? 'met' : 'MISSED';
  const course = `${mebibytes(first)} in the first half, ${mebibytes(second)} in the second, ${mebibytes(most)} at most`;
  return {
    measurements: [],
    notes: [
      `bound: memory steady over ${minutes} min, < ${mebibytes(mostOctets)}: ${course}, ${word}; ` +
        `${digits(answered)} answered, ${lost + failed} lost or failed`,
    ],
  };
}
