/** Allow entries to the letter: what each gives a name, and what is wrong with one that is refused. */
import { describe, expect, test } from 'vitest';
import { compileAllowlist } from './allowlist.ts';
import { parseHostName } from './name.ts';

const portsOf = (entries: readonly string[], name: string) =>
  compileAllowlist(entries)
    .portsOf(parseHostName(name) ?? Uint8Array.of(0))
    .map(({ protocol, port, entry }) => `${protocol} ${port} by ${entry}`);

describe('an allow entry', () => {
  test.each<[string, string, string[]]>([
    ['x.test:1', 'x.test', ['tcp 1 by x.test:1']],
    ['tcp://x.test:65535', 'x.test', ['tcp 65535 by tcp://x.test:65535']],
    ['udp://x.test:53', 'X.Test', ['udp 53 by udp://x.test:53']],
    ['x.test:443', 'a.x.test', []],
    ['*.x.test:443', 'x.test', []],
    ['*.x.test:443', 'a.x.test', ['tcp 443 by *.x.test:443']],
    ['*.x.test:443', 'a.b.x.test', ['tcp 443 by *.x.test:443']],
    ['*.x.test:443', 'ax.test', []],
    ['*.x.test:443', 'a.x.test.y', []],
    ['*.test:443', 'a.b.c.test', ['tcp 443 by *.test:443']],
    // An address is for the datapath: no name resolves to it, not even one that is written like it.
    ['10.0.0.1:443', '10', []],
    ['10.0.0.0/16:443', '10', []],
    ['[fd00::1]:443', 'fd00', []],
    ['[fd00::]/8:443', 'fd00', []],
    ['fd00::/8:443', 'fd00', []],
  ])('%s always gives the name %s: %j', (entry, name, ports) => {
    expect(portsOf([entry], name)).toEqual(ports);
  });

  test('never gives one port twice, and never takes another protocol’s for it', () => {
    const entries = [
      'a.x.test:53',
      'a.x.test:53',
      'udp://a.x.test:53',
      'a.x.test:54',
      '*.x.test:53',
      '*.test:54',
      'udp://*.test:9',
    ];
    expect(portsOf(entries, 'a.x.test')).toEqual([
      'tcp 53 by a.x.test:53',
      'udp 53 by udp://a.x.test:53',
      'tcp 54 by a.x.test:54',
      'udp 9 by udp://*.test:9',
    ]);
    expect(portsOf(['x.test:53', 'x.test:53', 'udp://x.test:53'], 'x.test')).toHaveLength(2);
    expect(portsOf(['a.x.test:53', '*.x.test:53'], 'a.x.test')).toEqual(['tcp 53 by a.x.test:53']);
    expect(portsOf(['*.x.test:53', '*.x.test:53', 'udp://*.x.test:53'], 'a.x.test')).toHaveLength(2);
  });

  const noPort = 'it has no port from 1 to 65535';
  const noHost = 'its host is neither a name of letters, digits, - and _, nor a CIDR';

  test.each([
    ['', noPort],
    ['x.test', noPort],
    [':443', noPort],
    ['x.test:', noPort],
    ['x.test:0', noPort],
    ['x.test:65536', noPort],
    ['x.test:000443', noPort],
    ['x.test:443x', noPort],
    ['x.test:-1', noPort],
    ['x y.test:443', noHost],
    ['x.test\n:443', noHost],
    ['*.:443', noHost],
    ['*:443', noHost],
    ['*x.test:443', noHost],
    ['x.*.test:443', noHost],
    ['http://x.test:80', noHost],
    ['tcp://:443', noHost],
    ['xtcp://x.test:80', noHost],
  ])('%j is refused by its text: %s', (entry, what) => {
    expect(() => compileAllowlist(['fine.test:443', entry])).toThrow(
      expect.objectContaining({
        code: 'bad-allow-entry',
        message: `allow: ${JSON.stringify(entry)}: ${what}`,
        remediation:
          'write [tcp|udp://]host:port, [tcp|udp://]*.host:port or [tcp|udp://]CIDR:port, for example *.example.com:443',
      }),
    );
  });

  test('that is long is never repeated whole', () => {
    expect(() => compileAllowlist([`${'x'.repeat(301)}:1`])).toThrow(
      `allow: "${'x'.repeat(300)}": ${noHost}`,
    );
  });
});
