/** A datapath and a resolver that note what is asked of them, and fail when told to. */
import { openSync } from 'node:fs';
import { CodedError } from '#reference/base/coded-error.ts';
import type { SandboxNetwork } from '#reference/contract/datapath.ts';
import type { DatapathPort } from '#reference/contract/datapath-port.ts';
import type { DnsProxyPort } from '#reference/contract/dns-port.ts';

export const guestMac = '02:00:00:00:00:02';
export const network: SandboxNetwork = {
  ...{ tap: 'tap-a', tapMac: '02:00:00:00:00:01', guestMac, ipv6: null },
  ipv4: { guest: '10.200.0.2', gateway: '10.200.0.1', resolver: '10.200.0.1' },
};
export const pod = { denyCIDRs: [], nat64Prefixes: [], pinPrivateCIDRs: [] };

export class FakeHuskNetwork {
  /** In order; others note in it too. */
  readonly asked: string[];
  /** Calls that fail from now on; `datapath change 2`: the second of them alone. */
  readonly failing = new Set<string>();
  /** Of what they fail with. */
  code = 'ruleset-refused';
  readonly #taps = new Set<string>();
  readonly #resolvers = new Set<string>();

  constructor(asked: string[]) {
    this.asked = asked;
  }

  left(): string[] {
    return [
      ...[...this.#taps].map((tap) => `tap ${tap}`),
      ...[...this.#resolvers].map((tap) => `resolver of ${tap}`),
    ];
  }

  #call(what: string): void {
    this.asked.push(what);
    const time = this.asked.filter((one) => one === what).length;
    if (!this.failing.has(what) && !this.failing.has(`${what} ${time}`)) return;
    const { code } = this;
    throw new CodedError(code, `${what} is told to fail`, 'nothing');
  }

  datapath(): DatapathPort {
    const unused = () => {
      throw new Error('nothing that a husk asks for');
    };
    const waiting = new Set<string>();
    return {
      open: ({ tap }, { egress, allow }) => {
        this.#call('datapath open');
        if (egress !== 'deny' || allow.length > 0) throw new Error('the datapath of a dormant husk is open');
        this.#taps.add(tap);
        return { fd: openSync('/dev/null', 'r'), index: 7 };
      },
      change: () => this.#call('datapath change'),
      cutOff: (tap) => {
        this.#call('datapath cut off');
        waiting.add(tap);
      },
      reap: () => {
        this.#call('datapath reap');
        for (const tap of waiting) this.#taps.delete(tap);
      },
      close: unused,
      closeInBackground: unused,
      addPins: unused,
      deletePins: unused,
      shutDown: unused,
    };
  }

  dns(): DnsProxyPort {
    return {
      attach: async ({ tap }) => {
        this.#call('resolver attach');
        this.#resolvers.add(tap);
      },
      detach: async (tap) => {
        this.#call('resolver detach');
        this.#resolvers.delete(tap);
      },
      change: async () => this.#call('resolver change'),
      metrics: async () => '',
      stop: async () => undefined,
    };
  }
}
