/** A process whose guest writes to a private volume, until it is killed: run by volumes.vm.test.ts. */
import { ftruncateSync } from 'node:fs';
import { createMemfd } from '#reference/base/memfd.ts';
import { Talk } from '#reference/vmm/contract-talk.ts';
import { openQemu } from '#reference/vmm/qemu/qemu.ts';
import { contractBoot } from './contract-guest.ts';

const [folder = ''] = process.argv.slice(2);
const octets = 8 << 20;
const vmm = await openQemu('tcg', undefined, { overlayFolder: folder });
const { spec } = await contractBoot({ volumes: [{ serial: 'own', octets, access: 'private' }] });
const fd = createMemfd('volume');
ftruncateSync(fd, octets);
const vm = await vmm.boot({ ...spec, place: { tapFd: null, volumes: [{ serial: 'own', fd }] } });
const said = await new Talk(vm).ask('disk-fill own');
process.stdout.write(`${said === 'ok' ? 'written' : said}\n`);
setInterval(() => undefined, 60_000);
