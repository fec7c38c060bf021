/**
 * The one attack that stands for a claim where there is no time for all: the one that tells most, of those that
 * falsify every subject that the claim says is falsified.
 */
export const showpieces: Readonly<Record<`F4.${string}`, string>> = {
  'F4.converge': 'policy.narrowed-new-flow',
  'F4.engines': 'engines.tcp',
  'F4.established': 'policy.narrowed-flow',
  'F4.inbound': 'inbound.neighbor-tcp',
  'F4.input': 'own-address.control-at-uplink',
  'F4.leave': 'leaving.spoofed-to-metadata',
  'F4.load': 'exhaustion.low-ports',
  'F4.pod': 'conntrack.port-of-a-listener',
  'F4.source': 'sources.network-address',
  'F4.state': 'ipv6.router-advertisement',
  'F4.transition': 'policy.left-behind',
};
