/** The fake does what every VMM does. */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createMemfd, seal } from '#reference/base/memfd.ts';
import type { SealedFile } from '#reference/contract/vmm-port.ts';
import { type FakeProgram, FakeVmm } from './fake-vmm.ts';
import { hashSealed } from './sealed-files.ts';
import { vmmPortContract } from './vmm-port-contract.ts';

const answer: FakeProgram = ({ memory, send, print, end }, line, channel) => {
  memory.generator ??= { generation: '1', keySha256: '7'.repeat(64) };
  const [word = '', rest = ''] = line.split(/ (.*)/);
  if (channel === 'services') {
    send(`services ${line}`);
    return;
  }
  switch (word) {
    case 'ping':
      send('pong');
      break;
    case 'print':
      print(rest);
      send('ok');
      break;
    case 'remember':
      memory.remembered = rest;
      send('ok');
      break;
    case 'recall':
      send(String(memory.remembered));
      break;
    case 'reseed':
      memory.generator = { generation: '2', keySha256: randomBytes(32).toString('hex') };
      send('ok');
      break;
    case 'symbol':
      send('ffffffff81000000');
      break;
    case 'release':
      send('6.1.0-fake');
      break;
    default:
      end();
  }
};

async function image(text: string): Promise<SealedFile> {
  const fd = createMemfd('image');
  writeSync(fd, text);
  seal(fd);
  return hashSealed(fd);
}

vmmPortContract(async () => {
  const vmm = new FakeVmm(answer);
  return {
    vmm,
    another: async () => new FakeVmm(answer),
    spec: {
      machine: { memoryMiB: 64, cpus: 1, cpuModel: 'max', guestMac: null, generationId: 'none' },
      kernel: await image('kernel'),
      initrd: await image('initrd'),
      commandLine: 'quiet',
      place: { tapFd: null },
    },
    isThere: () => false,
    close: () => vmm.close(),
  };
});
