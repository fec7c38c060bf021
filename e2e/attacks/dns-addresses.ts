/**
 * Rebinding by address: an allowed name answered with an address that must never be pinned, bare and in every
 * wrapper, then a connection to it. IPv6 cells run with the IPv6 option on; their control is a pinned public AAAA.
 */
import { addressText } from '#kvm-lab/frames/octets.ts';
import { types } from '#properties/models/dns-message.ts';
import { cells } from './attack.ts';
import type { DnsAttack, DnsStage } from './dns-attack.ts';
import { at } from './dns-messages.ts';

const source = 'findings.md F1, addresses';
const shows = 'the address in the kernel’s set, in the answer, or a connection to it';

/** Each address under a name of its own: asked for, and connected to. */
async function rebind(stage: DnsStage, addresses: readonly string[]): Promise<void> {
  stage.pod.dns.worldHas(addresses);
  for (const address of addresses) {
    const name = stage.name('rebind');
    for (const server of stage.servers) server.script(name, at([address]));
    await stage.ask(name, { type: address.includes(':') ? types.aaaa : types.a });
    stage.tryConnect(address);
  }
}

type Words = Pick<DnsAttack, 'id' | 'claim' | 'statement' | 'expected'> & Partial<DnsAttack>;

const rebinding = (addresses: readonly string[], words: Words): DnsAttack => ({
  source,
  shows,
  ...(addresses.some((address) => address.includes(':')) ? { ipv6: true, control: 'pinned AAAA' } : {}),
  act: (stage) => rebind(stage, addresses),
  ...words,
});

export const attacks: readonly DnsAttack[] = [
  rebinding(['169.254.169.254', '10.0.0.1', '127.0.0.1', '192.168.1.1', '0.0.0.0'], {
    id: 'dns-addresses.private-v4',
    claim: 'F1.special-purpose',
    statement: 'RFC 1918, loopback, link-local and unspecified addresses are never pinned',
    expected: cells.closed,
  }),
];
void addressText;
