/** The measured verdicts of Python are whole, and still what Python decides where it is there. */
import { expect, test } from 'vitest';
import { measureIpaddress, naiveVectors, pythonVersion, readMeasured } from './measured-ipaddress.ts';

const { asked, measurements } = readMeasured();

test('every address of the corpus was asked: else run measure-ipaddress.ts, then pnpm generate', () => {
  expect(asked).toEqual(naiveVectors().map(({ input }) => input.address));
  expect(measurements.length).toBeGreaterThan(0);
});

test('python3 always decides as its version was measured, and no version decodes NAT64', async () => {
  const python = pythonVersion('python3');
  // Without Python the page stands on what was measured elsewhere, and there is nothing to compare.
  const fresh = python === null ? null : { python, pinned: await measureIpaddress('python3') };
  const same = measurements.find((measurement) => measurement.python === python);
  if (fresh !== null && same !== undefined) expect(fresh).toEqual(same);
  for (const { pinned } of [...measurements, ...(fresh === null ? [] : [fresh])]) {
    expect(pinned).toContain('64:ff9b::a9fe:a9fe');
    expect(pinned).toContain('168.63.129.16');
    expect(pinned).not.toContain('169.254.169.254');
  }
});
