/** Texts that people write: entries, endpoints, resolv.conf, control lines; each mistake is named. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { CodedError } from '#reference/base/coded-error.ts';
import type { DnsProxyPort } from '#reference/contract/dns-port.ts';
import { bindRefusal } from '../bind-refusal.ts';
import { checkAllowEntries } from '../check-policy.ts';
import { serveControl } from '../control-lines.ts';
import { parseEndpoint } from '../parse-endpoint.ts';
import { readServers, serversIn } from '../resolv-conf.ts';
import { printedName } from './refusal-log.ts';

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof CodedError) return `${error.code}: ${error.message}; ${error.remediation}`;
    throw error;
  }
  return 'none';
}

describe('an allow entry', () => {
  test.each([
    [['x.*.test:443'], 'bad-allow-entry: allow: "x.*.test:443": a wildcard stands for whole labels'],
    [['x*.test:443'], 'a wildcard stands for whole labels'],
    [['*x.test:443'], 'a wildcard stands for whole labels'],
    [['*.*.test:443'], 'a wildcard stands for whole labels'],
    [['bücher.test:443'], 'is no ASCII; write the A-label: "xn--bcher-kva.test:443"'],
    [['udp://*.bücher.test:53'], 'write the A-label: "udp://*.xn--bcher-kva.test:53"'],
    [['\u0001.test:443'], 'is no ASCII; write the name in ASCII'],
    [['a.test:443', 'A.test.:443'], 'allow: "A.test.:443": it says the same as "a.test:443"'],
    [['a.test:443', 'tcp://a.test:443'], 'it says the same as "a.test:443"'],
  ])('is refused by its text: %j', (entries, expected) => {
    expect(refusalOf(() => checkAllowEntries(entries))).toContain(expected);
  });

  test('passes when nothing is wrong with it here', () => {
    const entries = [
      'a.test:443',
      'udp://a.test:443',
      'a.test:80',
      '*.a.test:443',
      '10.0.0.0/8:443',
      '[fd00::]/8:1',
    ];
    expect(refusalOf(() => checkAllowEntries(entries))).toBe('none');
  });
});

describe('an endpoint', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1', 53],
    ['192.0.2.1:5353', '192.0.2.1', 5_353],
    ['2001:DB8:0::1', '2001:db8::1', 53],
    ['[2001:db8::1]', '2001:db8::1', 53],
    ['[2001:db8::1]:54', '2001:db8::1', 54],
  ])('%s is read', (text, address, port) => {
    expect(parseEndpoint('--upstream', text, 53)).toEqual({ address, port });
  });

  test.each([
    '',
    'x.test',
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '192.0.2.1:',
    '2001:db8::1:99999',
    '[::1',
    '1.2.3:53',
  ])('%j is refused by its flag', (text) => {
    expect(refusalOf(() => parseEndpoint('--upstream', text, 53))).toContain('bad-endpoint');
  });

  test('that cannot be bound is named with its transport, and what to do', () => {
    const refusal = bindRefusal('tcp', { address: '::1', port: 53 }, 'EACCES', null);
    expect(
      refusalOf(() => {
        throw refusal;
      }),
    ).toMatch(/^address-refused: the kernel refused to bind tcp \[::1\]:53: EACCES; .*CAP_NET_BIND_SERVICE/);
    expect(refusal.code).toBe('address-refused');
  });
});

describe('a resolv.conf', () => {
  test('gives its first three servers, each once, and passes over everything else', () => {
    const text = [
      ...['# nameserver 192.0.2.9', 'search a.test', 'nameserver 192.0.2.1', ' nameserver\t2001:db8:0::1 '],
      ...['nameserver 192.0.2.1', 'nameserver fe80::1%eth0', 'nameserver x.test', 'options ndots:5'],
      ...['nameserver 192.0.2.2', 'nameserver 192.0.2.3'],
    ].join('\n');
    expect(serversIn(text)).toEqual(
      ['192.0.2.1', '2001:db8::1', '192.0.2.2'].map((address) => ({ address, port: 53 })),
    );
  });

  test('that is not there, or names none, is refused by its path', () => {
    const folder = mkdtempSync(join(tmpdir(), 'resolv-'));
    writeFileSync(join(folder, 'empty'), 'search a.test\n');
    expect(refusalOf(() => readServers(join(folder, 'none')))).toMatch(
      /^no-upstream: .*none cannot be read: ENOENT/,
    );
    expect(refusalOf(() => readServers(join(folder, 'empty')))).toMatch(
      /^no-upstream: .*empty names no server/,
    );
    rmSync(folder, { recursive: true });
  });
});

describe('a name in the log', () => {
  test('never holds anything but printable ASCII, and dots only between labels', () => {
    const name = Uint8Array.from([6, 0x61, 0x2e, 0x5c, 0x0a, 0xe9, 0x22, 1, 0x62, 0]);
    expect(printedName(name)).toBe('a\\.\\\\\\010\\233\\034.b');
    expect(printedName(Uint8Array.of(0))).toBe('.');
  });
});

describe('control by lines', () => {
  const proxy: DnsProxyPort = {
    attach: async ({ tap }) => {
      if (tap === 'bad') throw new CodedError('no-sandbox', 'no sets', 'open it');
    },
    change: async () => undefined,
    detach: async () => undefined,
    metrics: async () => 'text',
    stop: async () => undefined,
  };

  async function answersTo(...pieces: string[]): Promise<unknown[]> {
    const [input, output] = [new PassThrough(), new PassThrough()];
    let said = '';
    output.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    const ended = new Promise<void>((resolve) => serveControl(proxy, input, output, resolve));
    for (const piece of pieces) input.write(piece);
    input.end();
    await ended;
    await new Promise((resolve) => setImmediate(resolve));
    return said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  }

  test('answers each line by its id, however the lines are cut', async () => {
    expect(
      await answersTo('{"id":1,"metri', 'cs":true}\n{"id":2,"attach":{"tap":"bad"}}\n{"id":3}\nnonsense\n'),
    ).toEqual(
      expect.arrayContaining([
        { id: 1, ok: true, metrics: 'text' },
        { id: 2, ok: false, error: { code: 'no-sandbox', message: 'no sets', remediation: 'open it' } },
        expect.objectContaining({ id: 3, ok: false }),
        expect.objectContaining({ id: null, ok: false }),
      ]),
    );
  });

  test('never holds more of a line than its bound', async () => {
    expect(await answersTo('x'.repeat((1 << 20) + 1))).toMatchObject([
      { ok: false, error: { message: 'the line is too long' } },
    ]);
  });
});
