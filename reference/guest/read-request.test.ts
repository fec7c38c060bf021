/** What the host wrote: whole in its shape, or refused without an octet of it. */
import { describe, expect, test } from 'vitest';
import { isPath, readControl, readService } from './read-request.ts';

const fork = {
  method: 'notify_forked',
  version: 1,
  generation: 7,
  nonce: 'aa'.repeat(32),
  seed: '5e'.repeat(32),
  host_wall_clock_nanos: 1_795_000_000_000_000_000,
};
const network = { address: '10.0.0.2/30', gateway: '10.0.0.1', resolvers: ['10.0.0.1'] };
const exec = { id: 1, method: 'exec', argv: ['true'], timeout_ms: 1_000, max_output_octets: 10 };
const secret = 'c0ffee-secret';

describe('a control line', () => {
  test.each<[string, object]>([
    ['ping', { method: 'ping' }],
    ['a bare fork', fork],
    [
      'a fork with all there is',
      { ...fork, network: { ...network, mtu: 1_400 }, hostname: 'sb-1', volumes: [] },
    ],
    ['IPv6 too', { ...fork, network: { ...network, address6: 'fd00::2/126', gateway6: 'fd00::1' } }],
    ['a volume', { ...fork, volumes: [{ serial: 'vol-1', path: '/data', readonly: true }] }],
    ['an init', { method: 'init', argv: ['sh', '-c', ''], env: { A: '' }, cwd: '/', timeout_ms: 1 }],
    ['a snapshot', { method: 'prepare_snapshot', allow_processes: [{ comm: 'nginx' }] }],
  ])('is read: %s', (_, request) => {
    expect(readControl(JSON.stringify(request))).toEqual({ request });
  });

  test.each<[string, string | null]>([
    ['too long', null],
    ['no JSON', `{"seed":"${secret}"`],
    ['a list', '[]'],
    ['null', 'null'],
    ['no method', '{}'],
    ['an unknown method', JSON.stringify({ method: secret })],
    ['a method of the prototype', JSON.stringify({ method: 'toString' })],
    ['an unknown field', JSON.stringify({ method: 'ping', [secret]: 1 })],
    ['a seed that is a number', JSON.stringify({ ...fork, seed: 5 })],
    ['a clock before 1970', JSON.stringify({ ...fork, host_wall_clock_nanos: -1 })],
    ['an address without prefix', JSON.stringify({ ...fork, network: { ...network, address: '10.0.0.2' } })],
    ['a prefix too long', JSON.stringify({ ...fork, network: { ...network, address: '10.0.0.2/33' } })],
    [
      'a resolver with a newline',
      JSON.stringify({ ...fork, network: { ...network, resolvers: [`1.1.1.1\n${secret}`] } }),
    ],
    ['a hostname with a newline', JSON.stringify({ ...fork, hostname: `a\n${secret}` })],
    [
      'a volume over the root',
      JSON.stringify({ ...fork, volumes: [{ serial: 'a', path: '/', readonly: true }] }),
    ],
    ['an unknown field within', JSON.stringify({ ...fork, network: { ...network, [secret]: 1 } })],
    ['no argv', JSON.stringify({ method: 'init', argv: [], timeout_ms: 1 })],
    ['an empty program', JSON.stringify({ method: 'init', argv: [''], timeout_ms: 1 })],
    ['an argument with NUL', JSON.stringify({ method: 'init', argv: ['a', `\0${secret}`], timeout_ms: 1 })],
    ['too many arguments', JSON.stringify({ method: 'init', argv: Array(1_025).fill('a'), timeout_ms: 1 })],
    ['arguments too long', JSON.stringify({ method: 'init', argv: [secret.repeat(4_000)], timeout_ms: 1 })],
    [
      'a name with =',
      JSON.stringify({ method: 'init', argv: ['a'], env: { [`${secret}=`]: '' }, timeout_ms: 1 }),
    ],
    ['no timeout', JSON.stringify({ method: 'init', argv: ['a'] })],
  ])('is refused without an octet of it: %s', (_, line) => {
    const reading = readControl(line);
    expect(reading).toHaveProperty('error');
    expect(JSON.stringify(reading)).not.toContain(secret);
  });

  test('names a version that is not spoken here, whatever else it has', () => {
    expect(readControl(JSON.stringify({ ...fork, version: 2, shape: 'of tomorrow' }))).toEqual({
      error: 'version 2 is not spoken here; spoken: 1',
    });
  });
});

describe('a service line', () => {
  test.each<[string, object]>([
    ['exec', exec],
    ['exec with bounds', { ...exec, max_processes: 1, max_memory_octets: 1 << 20 }],
    ['write', { id: 2, method: 'write', path: '/a', mode: 0o600 }],
    ['data', { id: 2, method: 'data', data: 'aGk=', end: true }],
    ['ack', { id: 2, method: 'ack', chunks: 8 }],
  ])('is read: %s', (_, request) => {
    expect(readService(JSON.stringify(request))).toMatchObject({ request });
  });

  test.each<[string, object]>([
    ['no id', { ...exec, id: undefined }],
    ['id 0', { ...exec, id: 0 }],
    ['an id that is no integer', { ...exec, id: 1.5 }],
    ['data that is no base64', { id: 2, method: 'data', data: `${secret}!` }],
    ['a chunk too long', { id: 2, method: 'stdin', data: 'A'.repeat(43_696) }],
    ['a signal that is none', { id: 2, method: 'kill', signal: `SIG${secret}` }],
    ['no process', { ...exec, max_processes: 0 }],
    ['memory that holds no program', { ...exec, max_memory_octets: 4_096 }],
    ['a mode out of range', { id: 2, method: 'write', path: '/a', mode: 0o10000 }],
  ])('is refused: %s', (_, request) => {
    const reading = readService(JSON.stringify(request));
    expect(reading).toHaveProperty('error');
    expect(JSON.stringify(reading)).not.toContain(secret);
  });
});

describe('a path', () => {
  test.each(['/', '/a', '/a/b.c', '/a/..b', '/ä ö'])('is %s', (path) => expect(isPath(path)).toBe(true));

  test.each([
    '',
    'a',
    './a',
    '../a',
    '/..',
    '/a/../b',
    '/a/./b',
    '/a//b',
    '/a/',
    '/a/..',
    '/\0',
    `/${'a/'.repeat(2_048)}a`,
  ])('is never %j', (path) => expect(isPath(path)).toBe(false));
});
