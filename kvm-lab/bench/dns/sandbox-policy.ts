/** The one sandbox of the bench: what its guests may ask for, at one resolver address. */
import type { DnsSandbox } from '#reference/contract/dns-port.ts';
import { loopback, tap } from './ground.ts';

export function benchSandbox(port: number): DnsSandbox {
  return {
    tap,
    listen: [{ address: loopback, port }],
    policy: {
      allow: [
        '*.bench.test:443',
        'registry.example.com:443',
        'udp://time.example.com:123',
        '192.0.2.0/24:443',
      ],
      ipv6: false,
      denyCIDRs: ['10.96.0.0/12'],
      nat64Prefixes: [],
      pinPrivateCIDRs: [],
    },
  };
}

/** As its peers: nothing is kept. */
export const benchLimits = { cacheEntries: 0 } as const;
