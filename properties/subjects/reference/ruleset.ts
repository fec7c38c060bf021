/**
 * The reference's ruleset behind the subject protocol, with the tap as its datapath moves it: up after the one
 * transaction, cut off by one and gone before the last.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { inetTable, pinSetOf } from '#reference/contract/datapath.ts';
import {
  changePolicy,
  closeSandbox,
  cutSandbox,
  openPod,
  openSandbox,
} from '#reference/decisions/ruleset/ruleset.ts';
import type { Bind, InputOf, OutputOf } from '../../protocol/decision.ts';
import type { ruleset } from '../../protocol/ruleset.ts';

type Event = InputOf<typeof ruleset>['event'];
type Step = OutputOf<typeof ruleset>['steps'][number];
type Command = { readonly [verb: string]: unknown };

const transaction = ({ nftables }: { readonly nftables: readonly Command[] }): Step => ({
  kind: 'transaction',
  nftables: nftables.map((command) => ({ ...command })),
});

/** As `reference/datapath/pins.ts` writes them over nfnetlink. */
function pinCommands({ network, pins }: Extract<Event, { kind: 'pin' }>): Command[] {
  return pins.map(({ address, protocol, port }) => ({
    add: {
      element: {
        family: 'inet',
        table: inetTable,
        name: pinSetOf(network.tap, address.includes(':') ? 'ipv6' : 'ipv4'),
        elem: [{ elem: { val: { concat: [address, protocol, port] }, timeout: 300 } }],
      },
    },
  }));
}

export const bind: Bind<typeof ruleset> = (pod) => {
  const stepsOf = (event: Event): Step[] => {
    switch (event.kind) {
      case 'open-pod':
        return [transaction(openPod(pod))];
      case 'open-sandbox':
        return [transaction(openSandbox(pod, event.network, event.policy)), { kind: 'tap-up' }];
      case 'change-policy':
        return [transaction(changePolicy(pod, event.network, event.before, event.after))];
      case 'pin':
        return [transaction({ nftables: pinCommands(event) })];
      case 'close-sandbox':
        // As where ingress chains outlive their device (Linux 6.16 and later); the datapath asks its kernel.
        return [
          transaction(cutSandbox(pod, event.network, event.policy)),
          { kind: 'tap-gone' },
          transaction(closeSandbox(event.network)),
        ];
    }
  };
  return ({ event }) => {
    try {
      return { steps: stepsOf(event), rule: event.kind };
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return { steps: [], rule: `refused: ${error.code}` };
    }
  };
};
