/**
 * pin-address beside `ipaddr.js` ranges on the same addresses; ours also applies the operator's policy and
 * every decoder.
 */
import ipaddr from 'ipaddr.js';
import { parseAddress } from '#reference/decisions/pin-address/ip-address.ts';
import { compileAddressPolicy } from '#reference/decisions/pin-address/pin-address.ts';
import type { Benchmark } from './benchmark.ts';
import { collectionsDuring, measure } from './measure.ts';

const policy = compileAddressPolicy({
  denyCIDRs: ['10.96.0.0/12', 'fd00:10:96::/112'],
  nat64Prefixes: ['2001:67c:2b0:db32::/96', '64:ff9b:1::/48'],
  pinPrivateCIDRs: [],
});

/** Half public, half of what an attacker sends. */
const texts = [
  '93.184.216.34',
  '2606:2800:220:1:248:1893:25c8:1946',
  '64:ff9b::5db8:d822',
  '2a00:1450:4001:802::200e',
  '142.250.185.78',
  '2002:5db8:d822::1',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::',
  '169.254.169.254',
  'fec0::1',
  '2001:67c:2b0:db32::a00:1',
  '2a00:1450:4001:802:0:5efe:a9fe:a9fe',
];

function parsed(text: string): Uint8Array {
  const bytes = parseAddress(text);
  if (bytes === null) throw new Error(`no address: ${text}`);
  return bytes;
}

const addresses = texts.map(parsed);
const allowed = addresses.filter((bytes) => policy.decide(bytes, 0, lengthOf(bytes)).pin);
const peers = texts.map((text) => ipaddr.parse(text));

function lengthOf(bytes: Uint8Array): 4 | 16 {
  return bytes.length === 4 ? 4 : 16;
}

function decideAll(chosen: readonly Uint8Array[], count: number): number {
  let pins = 0;
  for (let done = 0; done < count; done++) {
    const bytes = chosen[done % chosen.length] as Uint8Array;
    if (policy.decide(bytes, 0, lengthOf(bytes)).pin) pins += 1;
  }
  return pins;
}

const allocationRuns = 5_000_000;

export const pinAddressBenchmark: Benchmark = {
  summary:
    'decisions on one core, 12 addresses, half public, half hostile; peer: ipaddr.js range() on parsed addresses',
  async run() {
    const measured = measure([
      { name: 'pin-address, whole policy', run: (count) => decideAll(addresses, count) },
      {
        name: 'ipaddr.js range()',
        run(count) {
          let unicast = 0;
          for (let done = 0; done < count; done++)
            if (peers[done % peers.length]?.range() === 'unicast') unicast += 1;
          return unicast;
        },
      },
    ]);
    const collections = await collectionsDuring(() => decideAll(allowed, allocationRuns));
    return {
      measurements: measured.map((one) => ({ ...one, unit: 'decisions' })),
      notes: [
        `${collections} garbage collections in ${allocationRuns.toLocaleString('en-US')} decisions on the allow path`,
      ],
    };
  },
};
