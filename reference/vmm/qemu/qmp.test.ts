/** What the monitor’s client does when QEMU answers, and when what is there answers as no QEMU would. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { QmpClient } from './qmp.ts';

const greeting = {
  QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 }, package: 'test' }, capabilities: [] },
};
const shortMs = 100;

/** A peer that answers each command with what `answer` says, or not at all. */
function peer(answer: (command: string) => unknown): { client: QmpClient; qemu: Duplex; asked: string[] } {
  const [ours, qemu] = duplexPair();
  const asked: string[] = [];
  qemu.setEncoding('utf8').on('data', (lines: string) => {
    for (const line of lines.trim().split('\n')) {
      const { execute } = JSON.parse(line) as { execute: string };
      asked.push(execute);
      const said = answer(execute);
      if (said !== undefined) qemu.write(typeof said === 'string' ? said : `${JSON.stringify(said)}\n`);
    }
  });
  return { client: new QmpClient(ours), qemu, asked };
}

const refused = (message: RegExp) => ({ code: 'vmm-failed', message: expect.stringMatching(message) });

test('greets, asks in order, and hands over events that come between', async () => {
  const { client, qemu, asked } = peer((command) => ({ return: { of: command } }));
  qemu.write(`${JSON.stringify(greeting)}\n`);
  expect((await client.greet()).QMP.version.package).toBe('test');
  const event = client.event(({ event: name }) => name === 'STOP');
  const answers = Promise.all(['stop', 'query-status'].map((command) => client.execute(command)));
  qemu.write('{"event":"RESUME"}\n{"event":"ST');
  qemu.write('OP"}\n');
  expect(await answers).toEqual([{ of: 'stop' }, { of: 'query-status' }]);
  expect(asked).toEqual(['qmp_capabilities', 'stop', 'query-status']);
  expect(await event).toEqual({ event: 'STOP' });
});

test('writes what it is asked before anything is answered, and gives each command its own answer', async () => {
  const { client, qemu, asked } = peer(() => undefined);
  const greeted = client.greet();
  const answers = ['stop', 'cont'].map((command) => client.execute(command));
  await expect.poll(() => asked).toEqual(['qmp_capabilities', 'stop', 'cont']);
  const error = { class: 'GenericError', desc: 'not now' };
  for (const line of [greeting, { return: {} }, { error }, { return: 'went on' }]) {
    qemu.write(`${JSON.stringify(line)}\n`);
  }
  expect((await greeted).QMP.version.package).toBe('test');
  await expect(answers[0]).rejects.toMatchObject(refused(/not now/));
  expect(await answers[1]).toBe('went on');
});

test('an error of one command is that command’s, cut, and the next is answered', async () => {
  const { client } = peer((command) =>
    command === 'bad' ? { error: { class: 'GenericError', desc: 'x'.repeat(10_000) } } : { return: 1 },
  );
  const error = await client.execute('bad').catch((cause: unknown) => cause);
  expect(error).toMatchObject(refused(/^the VMM refuses bad: x{300}$/));
  expect(await client.execute('good')).toBe(1);
});

test.for([
  ['silence', undefined, /in time/],
  ['no JSON', 'garbage\n', /not JSON/],
  ['a line without end', 'x'.repeat(70_000), /too long/],
  ['an answer that is none', { neither: 1 }, /no answer of QMP/],
] as const)('%s ends the wait', async ([, answer, message]) => {
  const { client } = peer(() => answer);
  await expect(client.execute('stop', {}, shortMs)).rejects.toMatchObject(refused(message));
});

test('after a missed deadline nothing more is asked, for a late answer would be taken for another', async () => {
  const { client, asked } = peer(() => undefined);
  await expect(client.execute('stop', {}, shortMs)).rejects.toMatchObject(refused(/in time/));
  await expect(client.execute('cont')).rejects.toMatchObject(refused(/in time/));
  expect(asked).toEqual(['stop']);
});

test('the end of the connection ends what waits: commands, events, and what comes later', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = new QmpClient(connect({ port, host: '127.0.0.1' }));
  const [qemu] = await accepted;
  try {
    const waiting = [client.execute('stop'), client.event(() => true)];
    qemu.destroy();
    const ends = (one: Promise<unknown>) => expect(one).rejects.toMatchObject(refused(/^the VMM has ended$/));
    await Promise.all(waiting.map(ends));
    await Promise.all([client.execute('cont'), client.event(() => true)].map(ends));
  } finally {
    server.close();
  }
});

test('an event that does not come, and a queue that grows, have their bounds', async () => {
  const { client } = peer(() => undefined);
  await expect(client.event(() => true, shortMs)).rejects.toMatchObject(refused(/how it went/));
  const many = Array.from({ length: 70 }, () =>
    client.execute('stop', {}, shortMs).catch((cause: Error) => cause),
  );
  expect((await Promise.all(many)).at(-1)).toMatchObject(refused(/too many/));
});
