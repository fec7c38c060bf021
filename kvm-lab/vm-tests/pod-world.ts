/**
 * The world behind the uplinks of pods, in the network namespace that it is started in: a host on each address, and a
 * DNS server.
 */
import { createServer } from 'node:net';
import { decode, encode } from 'dns-packet';
import { upstreamStub } from '#reference/dnsproxy/upstream-stub.ts';
import { hosts } from '../providers/topology.ts';

/** Every name is the one host's. */
await upstreamStub(
  (query) => {
    const { id = 0, questions = [] } = decode(Buffer.from(query));
    const [question] = questions;
    const isAddress = question?.type === 'A';
    return encode({
      ...{ type: 'response', id, flags: 0x0180, questions },
      answers: isAddress ? [{ type: 'A', name: question.name, ttl: 60, data: hosts.pinned }] : [],
    });
  },
  hosts.dnsServer,
  53,
);
createServer((socket) => socket.on('error', () => socket.destroy()).end('reached')).listen(
  443,
  '0.0.0.0',
  () => process.stdout.write('{"up":true}\n'),
);
