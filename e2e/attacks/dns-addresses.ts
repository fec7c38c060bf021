/**
 * Rebinding by address: an allowed name answered with an address that must never be pinned, bare and in every
 * wrapper, then a connection to it. IPv6 cells run with the IPv6 option on; their control is a pinned public AAAA.
 */
import { types } from '#properties/models/dns-message.ts';
import { cells } from './attack.ts';
import type { DnsAttack, DnsStage } from './dns-attack.ts';
import { at } from './dns-messages.ts';

/** Each address under a name of its own: asked for, and connected to. */
async function rebind(stage: DnsStage, addresses: readonly string[]): Promise<void> {
  stage.pod.dns.worldHas(addresses);
  for (const address of addresses) {
    const name = stage.name('rebind');
    stage.script(name, at([address]));
    await stage.ask(name, { type: address.includes(':') ? types.aaaa : types.a });
    stage.tryConnect(address);
  }
}

type Words = Pick<DnsAttack, 'id' | 'claim' | 'statement' | 'expected'> & Partial<DnsAttack>;

const rebinding = (addresses: readonly string[], words: Words): DnsAttack => ({
  source: 'findings.md F1, addresses',
  shows: 'the address in the kernel’s set, in the answer, or a connection to it',
  ...(addresses.some((address) => address.includes(':')) ? { ipv6: true, control: 'pinned AAAA' } : {}),
  act: (stage) => rebind(stage, addresses),
  ...words,
});

const operatorPrefixes = ['2a00:1098:2b::/96', '2a05:d014::/32', '2a0c:2d80:1:2::/64'];
const publicOnes = ['93.184.216.34', '1.1.1.1', '2620:fe::fe'];
const publicWrappers = ['64:ff9b::808:808', '2002:808:808::1'];

/** Each must be pinned: the policy closes holes, not the Internet. */
async function expectPinned(stage: DnsStage, addresses: readonly string[]): Promise<void> {
  await rebind(stage, addresses);
  const pinned = stage.pod.dns.pins(stage.guest.place.tap).map(({ address }) => address);
  for (const address of addresses.filter((one) => !pinned.includes(one)))
    stage.wrong(`${address} is not pinned`);
}

const embedded: readonly DnsAttack[] = [
  rebinding(['64:ff9b::a9fe:a9fe', '64:ff9b::a00:1', '64:ff9b::7f00:1'], {
    id: 'dns-addresses.nat64',
    claim: 'F1.embedded',
    statement: 'NAT64 of an IPv4 that is blocked itself is never pinned',
    source: 'RFC 6052 section 3.1; findings.md F1, vulnerable',
    expected: cells.fixed,
    showpiece: true,
  }),
  rebinding(['2002:a9fe:a9fe::1', '2002:a00:1::1', '2002:7f00:1::'], {
    id: 'dns-addresses.6to4',
    claim: 'F1.6to4',
    statement: '6to4 of an IPv4 that is blocked itself is never pinned',
    source: 'RFC 3056 section 2; findings.md F1, vulnerable',
    expected: cells.fixed,
    showpiece: true,
  }),
  rebinding(['fec0::1', 'feff:ffff::1'], {
    id: 'dns-addresses.site-local',
    claim: 'F1.site-local',
    statement: 'a site-local address is never pinned',
    source: 'RFC 3879; findings.md F1, vulnerable',
    expected: cells.fixed,
    showpiece: true,
  }),
  rebinding(['2a00:1098:2b::a9fe:a9fe', '2a05:d014:a9fe:a9fe::', '2a0c:2d80:1:2:a9:fea9:fe00:0'], {
    id: 'dns-addresses.operator-nat64',
    claim: 'F1.embeddings',
    statement: 'a blocked IPv4 inside an operator’s NAT64 prefix of any length is never pinned',
    source: 'RFC 6052 section 2.2; findings.md F1, residual',
    policy: { nat64Prefixes: operatorPrefixes },
    expected: cells.residual,
    showpiece: true,
  }),
  rebinding(['64:ff9b:1::a9fe:a9fe', '64:ff9b:1:a9fe:a9:fe00::'], {
    id: 'dns-addresses.local-nat64',
    claim: 'F1.embeddings',
    statement: 'a blocked IPv4 inside the local-use NAT64 prefix is never pinned',
    source: 'RFC 8215; findings.md F1, residual',
    expected: cells.residual,
  }),
  rebinding(['2606:4700:1:2:0:5efe:a9fe:a9fe', '2606:4700:1:2:200:5efe:a00:1'], {
    id: 'dns-addresses.isatap',
    claim: 'F1.embeddings',
    statement: 'a blocked IPv4 as an ISATAP identifier is never pinned',
    source: 'RFC 5214 section 6.1; findings.md F1, residual',
    expected: cells.residual,
  }),
  rebinding(['2001:0:a9fe:a9fe::1', '::a9fe:a9fe', '::ffff:0:a9fe:a9fe', '::ffff:a9fe:a9fe'], {
    id: 'dns-addresses.other-embeddings',
    claim: 'F1.embeddings',
    statement: 'a blocked IPv4 by Teredo, IPv4-compatible, SIIT or mapped is never pinned',
    source: 'RFC 4380, RFC 4291 section 2.5.5, RFC 2765; findings.md F1, residual',
    expected: cells.residual,
  }),
  rebinding(['2002:808:808::5efe:a9fe:a9fe', '64:ff9b::c000:c0'], {
    id: 'dns-addresses.nested',
    claim: 'F1.embeddings',
    statement: 'an allowed wrapper never hides a blocked IPv4 in another one',
    source: 'findings.md F1, reference, addresses (3): decoders overlap',
    expected: cells.residual,
  }),
];

const special: readonly DnsAttack[] = [
  rebinding(['198.18.0.1', '0.0.0.1', '192.0.0.192', '240.0.0.1', '192.0.2.1', '192.88.99.1'], {
    id: 'dns-addresses.special-ipv4',
    claim: 'F1.special-purpose',
    statement: 'no special-purpose IPv4 address is ever pinned, nor connected to',
    source: 'IANA IPv4 Special-Purpose Address Registry; findings.md F1, residual',
    expected: cells.residual,
    showpiece: true,
  }),
  rebinding(['3fff::1', '5f00::1', '100::1', '2001:db8::1', '4000::1'], {
    id: 'dns-addresses.special-ipv6',
    claim: 'F1.special-purpose',
    statement: 'no special-purpose IPv6 address is ever pinned, nothing outside 2000::/3',
    source: 'IANA IPv6 Special-Purpose Address Registry; findings.md F1, residual',
    expected: cells.residual,
  }),
  rebinding(
    ['10.0.0.1', '172.16.0.1', '192.168.1.1', '127.0.0.1', '169.254.169.254', '0.0.0.0', '100.64.0.1'],
    {
      id: 'dns-addresses.private-ipv4',
      claim: 'F1.special-purpose',
      statement: 'a private, loopback, link-local or unspecified IPv4 address is never pinned',
      source: 'RFC 1918, RFC 6890; findings.md F1, vulnerable',
      expected: cells.closed,
    },
  ),
  rebinding(['fd00:1::1', 'fe80::1', 'ff02::1', '::1', '::'], {
    id: 'dns-addresses.private-ipv6',
    claim: 'F1.special-purpose',
    statement: 'a unique local, link-local, multicast or loopback IPv6 address is never pinned',
    source: 'RFC 4193, RFC 4291; findings.md F1, vulnerable',
    expected: cells.closed,
  }),
  rebinding(['168.63.129.16', '192.0.0.192'], {
    id: 'dns-addresses.wire-server',
    claim: 'F1.cloud',
    statement: 'a cloud’s wire server or metadata address is never pinned, nor connected to',
    source: 'findings.md F1, residual: 168.63.129.16 is a public address',
    expected: cells.residual,
    showpiece: true,
  }),
  rebinding(['64:ff9b::a83f:8110', '2002:a83f:8110::1', 'fd00:ec2::254'], {
    id: 'dns-addresses.embedded-wire-server',
    claim: 'F1.cloud',
    statement: 'a cloud’s wire server or metadata address is never pinned inside a wrapper',
    source: 'findings.md F1, residual: NAT64 and 6to4 of any of those',
    expected: cells.residual,
  }),
];

const operator: readonly DnsAttack[] = [
  rebinding(['198.41.0.4', '64:ff9b::c629:4', '2002:c629:4::1'], {
    id: 'dns-addresses.operator-deny',
    claim: 'F1.deny-cidr',
    statement: 'an address of the operator’s deny list is never pinned, inside a wrapper neither',
    source: 'findings.md F1, reference, addresses (2)',
    policy: { denyCIDRs: ['198.41.0.0/24'] },
    expected: cells.optional,
    falsifiedBy: ['operator-deny-not-passed-on'],
    showpiece: true,
  }),
  {
    ...rebinding([...publicOnes, ...publicWrappers], {
      id: 'dns-addresses.public',
      claim: 'F1.public',
      statement: 'public addresses, and wrappers of public IPv4, are always pinned',
      source: 'findings.md F1, published: a behaviour to keep',
      shows: 'an address that is not pinned',
      expected: cells.closed,
      mayPin: [...publicOnes, ...publicWrappers],
      falsifiedBy: ['wrappers-refused'],
      showpiece: true,
    }),
    act: (stage) => expectPinned(stage, [...publicOnes, ...publicWrappers]),
  },
  {
    ...rebinding(['2606:4700::2222'], {
      id: 'dns-addresses.option-off',
      claim: 'F1.ipv6-off',
      statement: 'with the IPv6 option off AAAA is never asked upstream, pinned or answered',
      source: 'findings.md F4, reference: off by default, then AAAA is NODATA',
      policy: { ipv6: false },
      expected: cells.optional,
      falsifiedBy: ['option-off-forwarded'],
      showpiece: true,
    }),
    ipv6: undefined,
    control: 'pinned A',
    act: async (stage) => {
      const name = stage.name('six');
      stage.script(name, at(['2606:4700::2222']));
      const { rcode, addresses } = await stage.ask(name, { type: types.aaaa });
      if (rcode !== 'NOERROR' || addresses.length > 0)
        stage.wrong(`AAAA is answered ${rcode}, ${addresses.length} addresses`);
      if (stage.servers.some(({ questions }) => questions.some((asked) => asked.name === name))) {
        stage.wrong('AAAA was asked upstream');
      }
    },
  },
];

/** The same name, asked again: public at first, then not. Connections before, between and after. */
const rebindings: readonly DnsAttack[] = [
  {
    id: 'dns-addresses.changing-answers',
    claim: 'F1.filtered',
    statement: 'a name whose answer changes never opens what is not pinned, before, between or after',
    source: 'findings.md F1; DNS rebinding',
    shows: 'a connection to the second address at any time',
    expected: cells.residual,
    mayPin: ['151.101.65.69'],
    showpiece: true,
    act: async (stage) => {
      const [open, hidden] = ['151.101.65.69', '198.18.7.7'];
      stage.pod.dns.worldHas([open, hidden]);
      const name = stage.name('rebind');
      for (const server of stage.servers) {
        server.script(name, (question, nth) => at([nth === 0 ? open : hidden], 0)(question, nth));
      }
      stage.tryConnect(hidden);
      await stage.ask(name);
      if (!(await stage.connect(open, { must: true })))
        stage.wrong('the pinned address was not reached: the path is closed');
      stage.tryConnect(hidden);
      await stage.ask(name);
      if (!(await stage.connect(open, { must: true }))) stage.wrong('the pin went with the second answer');
      await stage.connect(hidden);
    },
  },
  {
    id: 'dns-addresses.beside-a-public-one',
    claim: 'F1.filtered',
    statement: 'a refused address beside a public one is never pinned, answered or connected to',
    source: 'findings.md F1, reference, addresses',
    shows: 'a connection to the refused address',
    expected: cells.residual,
    act: async (stage) => {
      stage.pod.dns.worldHas(['198.18.7.7', '203.0.113.5']);
      const name = stage.name('mixed');
      for (const server of stage.servers)
        server.script(name, at(['198.18.7.7', '151.101.1.69', '203.0.113.5']));
      await stage.ask(name);
      for (const address of ['198.18.7.7', '203.0.113.5']) stage.tryConnect(address);
      if (!(await stage.connect('151.101.1.69', { must: true })))
        stage.wrong('the public address was not reached');
    },
  },
];

export const attacks: readonly DnsAttack[] = [...embedded, ...special, ...operator, ...rebindings];
