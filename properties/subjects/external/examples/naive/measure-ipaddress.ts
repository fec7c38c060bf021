/**
 * Measures `ipaddress` of the Pythons that are named, and writes what they decided into the repository:
 * `node properties/subjects/external/examples/naive/measure-ipaddress.ts python3.11 python3.13`, then
 * `pnpm generate`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type Measured,
  type Measurement,
  measuredFile,
  measureIpaddress,
  naiveVectors,
  pythonVersion,
} from './measured-ipaddress.ts';

const pythons = process.argv.slice(2);
const measurements: Measurement[] = [];
for (const name of pythons.length === 0 ? ['python3'] : pythons) {
  const python = pythonVersion(name);
  if (python === null) throw new Error(`there is no ${name}`);
  measurements.push({ python, pinned: await measureIpaddress(name) });
}
const measured: Measured = {
  filter:
    'examples/python/pin_address.py: is_global and not is_multicast, an IPv4-mapped address as its IPv4',
  asked: naiveVectors().map(({ input }) => input.address),
  measurements,
};
mkdirSync(dirname(measuredFile), { recursive: true });
writeFileSync(measuredFile, `${JSON.stringify(measured, null, 1)}\n`);
process.stdout.write(`wrote ${measuredFile}\n`);
