/**
 * The benchmarks, by name. The first measurement of each is ours; the others are peers on the same inputs.
 */
import type { Benchmark } from './benchmark.ts';
import { claimStepBenchmark } from './claim-step.ts';
import { datapathBenchmark } from './datapath.ts';
import { dnsBenchmark } from './dns.ts';
import { dnsHostile } from './dns-hostile.ts';
import { dnsMessages } from './dns-messages.ts';
import { forkBenchmark } from './fork.ts';
import { pinAddressBenchmark } from './pin-address.ts';
import { propertiesBenchmark } from './properties.ts';
import { protocolBenchmark } from './protocol.ts';
import { selectHuskBenchmark } from './select-husk.ts';

export const benchmarks = {
  'pin-address': pinAddressBenchmark,
  'dns-messages': dnsMessages,
  'dns-hostile': dnsHostile,
  'select-husk': selectHuskBenchmark,
  'claim-step': claimStepBenchmark,
  datapath: datapathBenchmark,
  dns: dnsBenchmark,
  fork: forkBenchmark,
  protocol: protocolBenchmark,
  properties: propertiesBenchmark,
} as const satisfies Record<string, Benchmark>;
