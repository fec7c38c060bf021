/** The guest that the VMM's contract speaks of, as a program: for VMMs that run no machine. */
import { randomBytes } from 'node:crypto';
import type { FakeProgram } from './fake-vmm.ts';

export const contractProgram: FakeProgram = ({ memory, disks, send, print, end }, line, channel) => {
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
    case 'disk-read':
      send(disks.get(rest)?.read() ?? 'no such disk');
      break;
    case 'disk-write': {
      const [serial = '', text = ''] = rest.split(/ (.*)/);
      send(disks.get(serial)?.write(text) ? 'ok' : 'refused');
      break;
    }
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
