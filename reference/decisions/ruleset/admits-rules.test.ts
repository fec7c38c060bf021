/** Which flows outlive a change of policy, rule by rule in the order of the ruleset. */
import { describe, expect, test } from 'vitest';
import type { PodNetwork, SandboxNetwork, SandboxPolicy } from '#reference/contract/datapath.ts';
import { compileAdmits, type Flow, type FlowVerdict, type Place } from './admits.ts';

const pod: PodNetwork = {
  uplink: 'eth0',
  denyCIDRs: ['198.41.0.0/24', '2606:2800:bad::/48'],
  nat64Prefixes: ['2001:db8:64::/96'],
  pinPrivateCIDRs: ['10.20.0.0/16'],
  masqueradePorts: [61_000, 65_000],
  maxPins: 256,
};
const network: SandboxNetwork = {
  tap: 'tap-a',
  tapMac: '02:00:00:00:00:01',
  guestMac: '02:00:00:00:00:02',
  ipv4: { guest: '10.200.0.2', gateway: '10.200.0.1', resolver: '10.200.7.7' },
  ipv6: { guest: 'fd00:5::2', gateway: 'fd00:5::1', resolver: 'fd00:5:7::7' },
};
const nothing: SandboxPolicy = { egress: 'deny', allow: [], inbound: [] };
const everything: SandboxPolicy = { ...nothing, egress: 'allow' };
const [public4, public6] = ['93.184.215.14', '2606:2800::1'];

interface Attempt extends Partial<Flow> {
  readonly pinned?: (place: Place) => boolean;
  readonly over?: SandboxNetwork;
}

/** A flow from the guest to port 443 over TCP, but for what is changed. */
function verdictOn(policy: SandboxPolicy, { pinned = () => false, over = network, ...change }: Attempt) {
  const destination = change.destination ?? public4;
  const source = destination.includes(':') ? 'fd00:5::2' : '10.200.0.2';
  const flow: Flow = {
    source,
    destination,
    protocol: 6,
    sourcePort: 40_000,
    destinationPort: 443,
    icmpType: null,
    answeredBy: destination,
    answeredFrom: 443,
    ...change,
  };
  return compileAdmits(pod, over, policy)(flow, pinned);
}

const admitted = (rule: string): FlowVerdict => ({ admitted: true, rule });
const refused = (rule: string): FlowVerdict => ({ admitted: false, rule });

type Row = [policy: SandboxPolicy, attempt: Attempt, verdict: FlowVerdict];
const allPinned = () => true;

describe('where a flow begins', () => {
  test.each<Row>([
    [everything, { source: '10.200.0.3' }, refused('any other source')],
    [everything, { source: 'fd00:5::2' }, refused('any other source')],
    [everything, { source: '10.200.0.2', destination: public6 }, refused('any other source')],
    [everything, { source: 'fd00:5::3', destination: public6 }, refused('any other source')],
    [everything, { destination: public6, over: { ...network, ipv6: null } }, refused('any other source')],
    [everything, { destination: public4, over: { ...network, ipv6: null } }, admitted('everything else')],
    [everything, { destination: 'elsewhere' }, refused('no address')],
    [everything, { destination: '' }, refused('no address')],
  ])('%#: only from the guest’s own address of the family', (policy, attempt, verdict) => {
    expect(verdictOn(policy, attempt)).toEqual(verdict);
  });
});

describe('the resolver and the pod', () => {
  test.each<Row>([
    [nothing, { destination: '10.200.7.7', destinationPort: 53 }, admitted('the resolver')],
    [nothing, { destination: '10.200.7.7', destinationPort: 53, protocol: 17 }, admitted('the resolver')],
    [nothing, { destination: 'fd00:5:7::7', destinationPort: 53, protocol: 17 }, admitted('the resolver')],
    [everything, { destination: '10.200.7.7', destinationPort: 54 }, refused('any other local address')],
    [
      everything,
      { destination: '10.200.7.7', destinationPort: 53, protocol: 1 },
      refused('any other local address'),
    ],
    [everything, { destination: 'fd00:5:7::7', destinationPort: 853 }, refused('any other local address')],
    [everything, { destination: '10.200.0.1', destinationPort: 53 }, refused('any other local address')],
    [everything, { destination: 'fd00:5::1', destinationPort: 53 }, refused('any other local address')],
  ])('%#: only the resolver, on port 53', (policy, attempt, verdict) => {
    expect(verdictOn(policy, { pinned: allPinned, ...attempt })).toEqual(verdict);
  });
});

describe('a destination that no guest may have', () => {
  test.each([
    ...['0.255.255.255', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', 'ff02::1'].map(
      (address) => [address, 'not to a unicast destination'],
    ),
    ...['::ffff:5db8:d70e', '::ffff:0:0', '::ffff:ffff:ffff'].map((address) => [
      address,
      'any other local address',
    ]),
    ...['169.254.169.254', '168.63.129.16', '198.41.0.4', 'fe80::1', 'fd00:ec2::254', '2606:2800:bad::1'].map(
      (address) => [address, 'never'],
    ),
    ...['64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::1', '2001:db8:64::a9fe:a9fe', '2606::5efe:a9fe:a9fe'].map(
      (address) => [address, 'never'],
    ),
  ] as [string, string][])(
    '%s is always refused, pinned, allowed by CIDR and by default',
    (destination, rule) => {
      const allow = ['0.0.0.0/0:443', '[::/0]:443'];
      expect(verdictOn({ ...everything, allow }, { destination, pinned: allPinned })).toEqual(refused(rule));
    },
  );

  test.each(['1.0.0.0', '126.255.255.255', '128.0.0.0', '223.255.255.255', '::fffe:ffff:ffff', '::1:0:0:0'])(
    'is never one beside it: %s',
    (destination) => {
      const allow = ['0.0.0.0/0:443', '[::/0]:443'];
      expect(verdictOn({ ...nothing, allow }, { destination })).toEqual(admitted('an allowed CIDR'));
    },
  );
});

describe('an allowed CIDR', () => {
  const policy: SandboxPolicy = {
    ...everything,
    allow: ['api.example.com:443', '172.16.0.0/12:443', 'udp://172.16.5.0/24:53', '[fd00:1::/32]:443'],
  };

  test.each<Row>([
    [policy, { destination: '172.16.0.0' }, admitted('an allowed CIDR')],
    [policy, { destination: '172.31.255.255' }, admitted('an allowed CIDR')],
    [policy, { destination: '172.16.5.9', protocol: 17, destinationPort: 53 }, admitted('an allowed CIDR')],
    [policy, { destination: 'fd00:1::7' }, admitted('an allowed CIDR')],
    [policy, { destination: '172.16.5.9', protocol: 17 }, refused('private')],
    [policy, { destination: '172.16.5.9', destinationPort: 53 }, refused('private')],
    [policy, { destination: '172.16.5.9', protocol: 132 }, refused('private')],
    [policy, { destination: '172.16.6.0', protocol: 17, destinationPort: 53 }, refused('private')],
    [policy, { destination: '172.16.4.255', protocol: 17, destinationPort: 53 }, refused('private')],
    // The number of 172.16.0.1, as IPv6.
    [policy, { destination: '::ac10:1' }, refused('private')],
    [policy, { destination: 'fd00:2::7' }, refused('private')],
  ])('%#: opens its protocol and port to its addresses only, private ones too', (given, attempt, verdict) => {
    expect(verdictOn(given, { pinned: allPinned, ...attempt })).toEqual(verdict);
  });
});

describe('a pin', () => {
  const asked: Place[] = [];
  const pinned = (place: Place) => {
    asked.push(place);
    return true;
  };

  test('is always asked for by address in canonical text, protocol and port', () => {
    expect(verdictOn(nothing, { pinned })).toEqual(admitted('a pinned address'));
    expect(
      verdictOn(nothing, { destination: '2606:2800:0::1', protocol: 17, destinationPort: 53, pinned }),
    ).toEqual(admitted('a pinned address'));
    expect(asked).toEqual([
      { address: public4, protocol: 'tcp', port: 443 },
      { address: public6, protocol: 'udp', port: 53 },
    ]);
  });

  test.each<Row>([
    [nothing, {}, refused('default egress is deny')],
    [nothing, { protocol: 132, pinned: allPinned }, refused('default egress is deny')],
    [nothing, { protocol: 1, icmpType: 8, pinned: allPinned }, refused('default egress is deny')],
    [nothing, { destination: '10.20.0.1', pinned: allPinned }, admitted('a pinned address')],
    [nothing, { destination: '10.21.0.1', pinned: allPinned }, refused('private')],
    [nothing, { destination: 'fd00:9::1', pinned: allPinned }, refused('private')],
    [nothing, { destination: '2001:db8:64::5db8:d70e', pinned: allPinned }, admitted('a pinned address')],
    [nothing, { destination: '2001:db8:65::5db8:d70e', pinned: allPinned }, refused('private')],
  ])('%#: opens TCP and UDP, and never what DNS may not pin', (policy, attempt, verdict) => {
    expect(verdictOn(policy, attempt)).toEqual(verdict);
  });
});

describe('egress allow', () => {
  test.each<Row>([
    [everything, {}, admitted('everything else')],
    [everything, { protocol: 17, destinationPort: 1 }, admitted('everything else')],
    [everything, { destination: public6 }, admitted('everything else')],
    [everything, { protocol: 1, icmpType: 8 }, admitted('echo')],
    [everything, { destination: public6, protocol: 58, icmpType: 128 }, admitted('echo')],
    [everything, { protocol: 1, icmpType: 13 }, refused('default egress is deny')],
    [everything, { protocol: 1, icmpType: null }, refused('default egress is deny')],
    [everything, { protocol: 2, icmpType: 8 }, refused('default egress is deny')],
    [everything, { protocol: 58, icmpType: 128 }, refused('default egress is deny')],
    [everything, { destination: public6, protocol: 1, icmpType: 8 }, refused('default egress is deny')],
    [everything, { destination: public6, protocol: 58, icmpType: 129 }, refused('default egress is deny')],
    [everything, { protocol: 132 }, refused('default egress is deny')],
    [everything, { destination: '10.21.0.1' }, refused('private')],
  ])('%#: opens TCP, UDP and echo to what no list denies', (policy, attempt, verdict) => {
    expect(verdictOn(policy, attempt)).toEqual(verdict);
  });
});

describe('a flow that began outside', () => {
  const policy: SandboxPolicy = {
    ...everything,
    inbound: [
      { protocol: 'udp', podPort: 5_060, guestPort: 5_061, from: '0.0.0.0/0' },
      { protocol: 'tcp', podPort: 8_080, guestPort: 80, from: '192.0.2.0/24' },
    ],
  };
  const web: Attempt = {
    source: '192.0.2.9',
    destination: '203.0.113.10',
    destinationPort: 8_080,
    answeredBy: '10.200.0.2',
    answeredFrom: 80,
  };
  const call: Attempt = {
    ...web,
    source: '8.8.8.8',
    protocol: 17,
    destinationPort: 5_060,
    answeredFrom: 5_061,
  };

  test.each<Row>([
    [policy, web, admitted('an inbound port')],
    [policy, { ...web, source: '192.0.2.0' }, admitted('an inbound port')],
    [policy, { ...web, source: '192.0.2.255' }, admitted('an inbound port')],
    [policy, call, admitted('an inbound port')],
    [policy, { ...web, source: '192.0.1.255' }, refused('any other')],
    [policy, { ...web, source: '192.0.3.0' }, refused('any other')],
    [policy, { ...web, protocol: 17 }, refused('any other')],
    [policy, { ...web, destinationPort: 8_081 }, refused('any other')],
    [policy, { ...web, answeredFrom: 81 }, refused('any other')],
    [policy, { ...call, answeredFrom: 5_060 }, refused('any other')],
    [policy, { ...call, source: '::c000:209' }, refused('any other')],
    [policy, { ...call, source: 'nobody' }, refused('any other')],
    [everything, web, refused('any other')],
  ])('%#: lives as long as its very port is open to its sender', (given, attempt, verdict) => {
    expect(verdictOn(given, attempt)).toEqual(verdict);
  });

  test('is never looked for under a policy whose senders are no CIDR', () => {
    const bad = {
      ...policy,
      inbound: [{ protocol: 'tcp', podPort: 1, guestPort: 1, from: '10.0.0.1/8' }],
    } as const;
    expect(() => verdictOn(bad, web)).toThrow('inbound: "10.0.0.1/8" has host bits set');
  });
});
