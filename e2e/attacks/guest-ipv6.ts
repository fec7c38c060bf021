/** The option IPv6: the same invariants, for a guest that has an address of its own. */
import { type Extension, fragmentBody, ipv6, padOptions, protocols } from '#kvm-lab/frames/internet.ts';
import { address, mac, u16, u32 } from '#kvm-lab/frames/octets.ts';
import { flags, icmpv6, linkOption, prefixOption, tcp } from '#kvm-lab/frames/transport.ts';
import { guest6, hosts6, listenerPorts, policy6, router } from '#kvm-lab/providers/topology.ts';
import { type Attack, cells, type Stage } from './attack.ts';
import { datagram, echoRequest, groupMac, on6, solicitation6, syn, tapLink, uplink } from './guest-frames.ts';

const own6 = guest6.ipv6?.guest ?? '';
const gateway6 = guest6.ipv6?.gateway ?? '';
const other6 = 'fd00:200::9';
const guestLocal = 'fe80::ff:fe00:a02';
const otherMac = '02:00:00:00:0a:99';

const base = {
  ipv6: true,
  control: 'allowed host by IPv6',
  source: 'findings.md F4: IPv6 is an option per sandbox, with the same seven invariants',
  expected: cells.optional,
} as const;

const wide = { ...policy6, egress: 'allow' } as const;

interface Way {
  readonly name: string;
  /** Of the reference, which this attack falsifies. */
  readonly mutant: string;
  readonly claim: Attack['claim'];
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly what: string;
  readonly policy?: Attack['policy'];
}

const { control, api } = listenerPorts;
const ways: readonly Way[] = [
  {
    name: 'control-at-uplink',
    mutant: 'drops-compiled-to-accept',
    claim: 'F4.input',
    from: own6,
    to: uplink.ipv6,
    port: control,
    what: 'the control port at the uplink',
  },
  {
    name: 'api-at-gateway',
    mutant: 'any-port-of-the-resolver',
    claim: 'F4.input',
    from: own6,
    to: gateway6,
    port: api,
    what: 'the API at the gateway',
  },
  {
    name: 'control-at-gateway',
    mutant: 'any-port-of-the-resolver',
    claim: 'F4.input',
    from: own6,
    to: gateway6,
    port: control,
    what: 'the control port at the gateway',
  },
  {
    name: 'wide-listener',
    mutant: 'drops-compiled-to-accept',
    claim: 'F4.input',
    from: own6,
    to: uplink.ipv6,
    port: control,
    what: 'a listener, though all is allowed',
    policy: wide,
  },
  {
    name: 'other-source',
    mutant: 'tables-dormant',
    claim: 'F4.source',
    from: other6,
    to: uplink.ipv6,
    port: control,
    what: 'a listener from another address of its link',
  },
  {
    name: 'link-local-source',
    mutant: 'tables-dormant',
    claim: 'F4.source',
    from: guestLocal,
    to: gateway6,
    port: control,
    what: 'a listener from link-local',
  },
  {
    name: 'gateway-source',
    mutant: 'tables-dormant',
    claim: 'F4.source',
    from: gateway6,
    to: uplink.ipv6,
    port: control,
    what: 'a listener from the gateway’s address',
  },
  {
    name: 'forbidden',
    mutant: 'default-is-allow',
    claim: 'F4.leave',
    from: own6,
    to: hosts6.forbidden,
    port: 443,
    what: 'a host that no policy names',
  },
  {
    name: 'other-to-forbidden',
    mutant: 'tables-dormant',
    claim: 'F4.leave',
    from: other6,
    to: hosts6.forbidden,
    port: 443,
    what: 'such a host from a forged source',
  },
  {
    name: 'other-to-allowed',
    mutant: 'tables-dormant',
    claim: 'F4.leave',
    from: other6,
    to: hosts6.allowed,
    port: 443,
    what: 'the allowed host from a forged source',
  },
  {
    name: 'wrong-port',
    mutant: 'default-is-allow',
    claim: 'F4.leave',
    from: own6,
    to: hosts6.allowed,
    port: 80,
    what: 'another port of the allowed host',
  },
  {
    name: 'metadata',
    mutant: 'drops-compiled-to-accept',
    claim: 'F4.leave',
    from: own6,
    to: hosts6.metadata,
    port: 80,
    what: 'the metadata service',
    policy: wide,
  },
  {
    name: 'metadata-in-nat64',
    mutant: 'drops-compiled-to-accept',
    claim: 'F4.leave',
    from: own6,
    to: '64:ff9b::169.254.169.254',
    port: 80,
    what: 'the metadata service inside NAT64',
    policy: wide,
  },
  {
    name: 'metadata-in-6to4',
    mutant: 'embeddings-not-inside',
    claim: 'F4.leave',
    from: own6,
    to: '2002:a9fe:a9fe::1',
    port: 80,
    what: 'the metadata service inside 6to4',
    policy: wide,
  },
  {
    name: 'metadata-in-isatap',
    mutant: 'isatap-forgotten',
    claim: 'F4.leave',
    from: own6,
    to: '2606:4700::5efe:169.254.169.254',
    port: 80,
    what: 'the metadata service inside ISATAP',
    policy: wide,
  },
  {
    name: 'router',
    mutant: 'private-forgotten',
    claim: 'F4.leave',
    from: own6,
    to: router.ipv6,
    port: 80,
    what: 'the pod’s router, though all is allowed',
    policy: wide,
  },
];

const message = (from: string, to: string, type: number, rest: Buffer, hops = 255) =>
  on6(ipv6({ from, to, ttl: hops }, protocols.icmpv6, icmpv6({ from, to }, type, 0, rest)), {
    ...tapLink,
    to: to.startsWith('ff') ? groupMac(to) : tapLink.to,
  });

function chained(stage: Stage, to: string, chain: readonly Extension[]): Buffer {
  const ends = { from: own6, to, fromPort: stage.port(), toPort: 443 };
  return on6(ipv6(ends, protocols.tcp, tcp(ends, { ...ends, sequence: 1, flags: flags.syn }), chain));
}

const padded = (type: number): Extension => ({ type, body: padOptions });

function fromSelf(
  name: string,
  mutant: string,
  claim: Attack['claim'],
  statement: string,
  frames: NonNullable<Attack['frames']>,
): Attack {
  return {
    ...base,
    falsifiedBy: [mutant],
    id: `guest-ipv6.${name}`,
    claim,
    statement,
    frames,
    shows: 'anything that changes, or answers',
  };
}

export const attacks: readonly Attack[] = [
  ...ways.map(
    ({ name, mutant, claim, from, to, port, what, policy }): Attack => ({
      ...base,
      falsifiedBy: [mutant],
      id: `guest-ipv6.${name}`,
      claim,
      ...(policy === undefined ? {} : { policy }),
      statement: `a guest with IPv6 never reaches ${what}`,
      frames: (stage) => {
        const ends = { from, to, fromPort: stage.port(), toPort: port };
        return [syn(ends), datagram(ends)];
      },
      shows: 'a listener notes it, an answer, or a packet on the uplink',
    }),
  ),
  fromSelf(
    'echo',
    'drops-compiled-to-accept',
    'F4.input',
    'an echo request to the pod is never answered',
    () => [echoRequest(own6, gateway6), echoRequest(own6, uplink.ipv6), echoRequest(own6, 'ff02::1')],
  ),
  fromSelf(
    'hop-limit',
    'drops-compiled-to-accept',
    'F4.source',
    'a packet to a forbidden host that runs out of hops is never answered',
    () => [echoRequest(own6, hosts6.forbidden, 1)],
  ),
  fromSelf(
    'solicitation-of-others',
    'solicitation-any-mac',
    'F4.state',
    'a solicitation or advertisement of another pair is never answered and makes no neighbour',
    () => [
      message(
        own6,
        gateway6,
        136,
        Buffer.concat([u32(0x60000000), address(own6), linkOption(2, mac(otherMac))]),
      ),
      on6(solicitation6(other6, gateway6, tapLink.from)),
      on6(solicitation6(own6, gateway6, otherMac)),
      on6(solicitation6(guestLocal, gateway6, tapLink.from)),
      on6(solicitation6(own6, uplink.ipv6, tapLink.from)),
    ],
  ),
  fromSelf(
    'router-advertisement',
    'tables-dormant',
    'F4.state',
    'a router advertisement never gives the pod a route or a neighbour',
    () => {
      const offer = Buffer.concat([
        Buffer.from([64, 0]),
        u16(1_800),
        u32(0),
        u32(0),
        prefixOption('2001:db8:bad::', 64),
        linkOption(1, mac(otherMac)),
      ]);
      return [message(guestLocal, 'ff02::1', 134, offer), message(own6, 'ff02::1', 134, offer)];
    },
  ),
  fromSelf(
    'packet-too-big',
    'drops-compiled-to-accept',
    'F4.state',
    'a forged “packet too big” never changes a path MTU of the pod',
    () => {
      const ends = { from: uplink.ipv6, to: hosts6.forbidden };
      const quoted = ipv6(ends, protocols.icmpv6, icmpv6(ends, 128, 0, u32(1)));
      return [message(own6, uplink.ipv6, 2, Buffer.concat([u32(1_280), quoted]))];
    },
  ),
  fromSelf(
    'extension-headers',
    'hop-by-hop-passes',
    'F4.source',
    'extension headers carry a SYN neither to a listener nor out',
    (stage) =>
      [gateway6, hosts6.forbidden, hosts6.allowed].flatMap((to) => [
        chained(stage, to, [padded(protocols.hopByHop)]),
        chained(stage, to, [padded(protocols.destinationOptions)]),
      ]),
  ),
  fromSelf(
    'fragments',
    'any-port-of-the-resolver',
    'F4.leave',
    'fragments never carry a SYN to a listener or to a forbidden host',
    (stage) =>
      [gateway6, hosts6.forbidden, hosts6.metadata].flatMap((to) => [
        chained(stage, to, [
          { type: protocols.fragment, body: fragmentBody(0, false, stage.random(2 ** 31)) },
        ]),
        chained(stage, to, [
          { type: protocols.fragment, body: fragmentBody(0, false, stage.random(2 ** 31)) },
          padded(protocols.destinationOptions),
        ]),
      ]),
  ),
  {
    ...base,
    falsifiedBy: ['arrive-ends-with-accept'],
    id: 'guest-ipv6.neighbor-inward',
    claim: 'F4.inbound',
    statement: 'a neighbour on the uplink never reaches the guest’s IPv6 address',
    act: async ({ pod, port }) => {
      const frame = syn({ from: router.ipv6, to: own6, fromPort: port(), toPort: 22 });
      const link = Buffer.concat([mac(uplink.mac), mac(router.mac)]);
      pod.sendFromUplink(Buffer.concat([link, frame.subarray(12)]));
    },
    shows: 'a frame at the tap',
  },
];
