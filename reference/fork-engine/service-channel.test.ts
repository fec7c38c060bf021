/** The host's end of a services channel, against guests that are slow, silent or break their bounds. */
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { maxChunksInFlight, maxServicesInFlight } from '#reference/contract/guest-protocol.ts';
import { ServiceChannel } from './service-channel.ts';

afterEach(() => {
  vi.useRealTimers();
});

const order = { argv: ['x'], timeout_ms: 1_000, max_output_octets: 100 };
const ignore = () => undefined;
const coded = (code: string) => expect.objectContaining({ code });

function open(): { channel: ServiceChannel; guest: Duplex; asked: { id: number; method: string }[] } {
  const [host, guest] = duplexPair();
  const asked: { id: number; method: string }[] = [];
  let text = '';
  guest.on('error', ignore).on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) asked.push(JSON.parse(line) as { id: number; method: string });
  });
  return { channel: new ServiceChannel(host), guest, asked };
}

test('as many requests as may be in flight; one more is refused, and nothing of it is sent', async () => {
  const { channel, asked } = open();
  for (let each = 0; each < maxServicesInFlight; each++) channel.exec(order, ignore);
  expect(() => channel.exec(order, ignore)).toThrow(coded('guest-busy'));
  await expect.poll(() => asked.length).toBe(maxServicesInFlight);
  channel.close();
});

test('a request that no line holds is refused, and takes no place', () => {
  const { channel } = open();
  const long = { ...order, argv: ['x'.repeat(70_000)] };
  expect(() => channel.exec(long, ignore)).toThrow(coded('guest-request-too-long'));
  expect(channel.inFlight).toBe(0);
  channel.close();
});

test('a guest that never ends a request is told to, and the request ends without it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { channel, asked } = open();
  const running = channel.exec(order, ignore);
  const ended = expect(running.ended).rejects.toThrow(coded('guest-silent'));
  vi.advanceTimersByTime(10_000);
  await ended;
  expect(channel.inFlight).toBe(0);
  vi.useRealTimers();
  await expect.poll(() => asked.at(-1)?.method).toBe('cancel');
  channel.close();
});

test('a file that comes slowly comes whole while it comes, and not for ever', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const { channel, guest } = open();
  const outcomes: string[] = [];
  const read = (path: string) =>
    void channel.readFile(path, 1 << 20, ignore).then(
      ({ ok }) => outcomes.push(`${path} ${ok}`),
      ({ code }: { code: string }) => outcomes.push(`${path} ${code}`),
    );
  read('/dripping');
  read('/silent');
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  for (let chunk = 0; chunk < 11; chunk++) {
    vi.advanceTimersByTime(50_000);
    guest.write('{"id":1,"stream":"data","data":"eA=="}\n');
    await turn();
    expect(outcomes, `chunk ${chunk}`).toEqual(chunk === 0 ? [] : ['/silent guest-silent']);
  }
  read('/whole');
  guest.write('{"id":3,"stream":"data","data":"eA=="}\n{"id":3,"ok":true}\n');
  await turn();
  // Ten minutes are over: what comes now gives it no more time.
  vi.advanceTimersByTime(55_000);
  guest.write('{"id":1,"stream":"data","data":"eA=="}\n');
  await turn();
  vi.advanceTimersByTime(10_000);
  await turn();
  expect(outcomes).toEqual(['/silent guest-silent', '/whole true', '/dripping guest-silent']);
  channel.close();
});

test('input goes no faster than the guest takes it', async () => {
  const { channel, guest, asked } = open();
  const running = channel.exec({ ...order, stdin: true }, ignore);
  const given = running.stdin(new Uint8Array(32_768 * 20));
  await expect.poll(() => asked.length).toBe(1 + maxChunksInFlight);
  for (let each = 0; each < 20; each++) {
    guest.write('{"id":1,"ack":1}\n');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await given;
  expect(asked.filter(({ method }) => method === 'stdin').length).toBe(20);
  channel.close();
  await expect(running.ended).rejects.toThrow(coded('guest-channel-ended'));
});

test('output is acknowledged once it was taken', async () => {
  const { channel, guest, asked } = open();
  const taking = Promise.withResolvers<void>();
  const running = channel.exec(order, () => taking.promise);
  guest.write('{"id":1,"stream":"stdout","data":"eA=="}\n{"id":1,"ok":true,"exit_code":0}\n');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked.map(({ method }) => method)).toEqual(['exec']);
  taking.resolve();
  expect(await running.ended).toEqual({ ok: true, exit_code: 0 });
  expect(asked.map(({ method }) => method)).toEqual(['exec', 'ack']);
});

test.each([
  ['a line that is too long', 'x'.repeat(70_000)],
  ['no JSON', 'ok\n'],
  ['no object', '[1]\n'],
  ['no id', '{"ok":true}\n'],
  ['an id of another type', '{"id":"1","ok":true}\n'],
  ['a stream of its own', '{"id":1,"stream":"stdin","data":""}\n'],
  ['data of another type', '{"id":1,"stream":"stdout","data":7}\n'],
  ['an end of another type', '{"id":1,"ok":"true"}\n'],
  ['an exit code of another type', '{"id":1,"ok":true,"exit_code":"0"}\n'],
  ['entries of another type', '{"id":1,"stream":"entries","entries":[{"name":1}]}\n'],
  ['more output than was asked for', `{"id":1,"stream":"stdout","data":"${'eHh4'.repeat(100)}"}\n`],
  ['an acknowledgement of nothing', '{"id":1,"ack":1}\n'],
  ['a negative acknowledgement', '{"id":1,"ack":-1}\n'],
])('%s ends the channel, and every request on it', async (_what, text) => {
  const { channel, guest } = open();
  const ends = [channel.exec(order, ignore), channel.exec(order, ignore)].map(({ ended }) => ended);
  guest.write(text);
  for (const end of ends) await expect(end).rejects.toThrow(coded('guest-channel-ended'));
  expect(() => channel.exec(order, ignore)).toThrow(coded('guest-channel-ended'));
});

test('what comes for a request that has ended, or for none, is passed over', async () => {
  const { channel, guest } = open();
  const running = channel.exec(order, ignore);
  guest.write(
    '{"id":0,"ok":false,"error":"what?"}\n{"id":9,"stream":"stdout","data":""}\n{"id":1,"ok":true}\n',
  );
  guest.write('{"id":1,"stream":"stdout","data":"eA=="}\n');
  expect(await running.ended).toEqual({ ok: true });
  channel.close();
});
