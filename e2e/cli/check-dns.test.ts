/** `pnpm check dns` as a user meets it: what it prints and writes, how it ends, what it refuses and sends. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import type { CodedError } from '#reference/base/coded-error.ts';
import { freeLoopbackEndpoint } from '#reference/dnsproxy/packets/loopback-peer.ts';
import { corpusOf } from '../blackbox/dns/corpus.ts';
import { labelOf } from '../blackbox/dns/names.ts';
import { readPinned } from '../blackbox/dns/pinned-sets.ts';
import { type Flaw, PracticeForwarder } from '../blackbox/dns/practice-forwarder.ts';
import { HostileUpstream } from '../blackbox/dns/upstream.ts';
import { type CheckDnsFlags, checkDnsCommand } from './check-dns-command.ts';
import { exitCodes } from './exit-codes.ts';
import { runCli } from './run-cli.ts';

const folder = makeLabFolder('dns');
afterAll(() => removeLabFolder(folder));

const check = (...words: readonly string[]) => runCli(['check', 'dns', ...words]);

async function withForwarder<Result>(
  flaw: Flaw,
  work: (words: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const forwarder = await PracticeForwarder.open(flaw);
  try {
    const { port } = await freeLoopbackEndpoint();
    forwarder.upstream = { address: '127.0.0.1', port };
    const server = `127.0.0.1:${forwarder.endpoint.port}`;
    return await work(['--server', server, '--upstream-listen', `127.0.0.1:${port}`, '--rate', '4000']);
  } finally {
    forwarder.close();
  }
}

describe('pnpm check dns', () => {
  test('ends with 0 where every claim that was asked holds', async () => {
    const claims = ['--claim', 'F1.chain', 'F1.ttl', 'F1.hints', 'F1.source', '--seed', '7'];
    const { code, stdout, stderr } = await withForwarder({}, (words) => check(...words, ...claims));
    expect(stdout).toContain('4 claims: 4 holds.');
    expect(stdout).not.toContain('\u001b[');
    expect(stderr).toMatch(
      /Upstream on 127\.0\.0\.1:\d+, UDP and TCP: the server forwards huskproof\.example/,
    );
    expect(code).toBe(exitCodes.asDeclared);
  });

  test('over TCP as well', async () => {
    const { code, stdout } = await withForwarder({}, (words) =>
      check(...words, '--tcp', '--claim', 'F1.cloud'),
    );
    expect(stdout).toContain('1 claim: 1 holds.');
    expect(code).toBe(exitCodes.asDeclared);
  });

  test('ends with 1 where one is falsified, and its replay line finds the same part again', async () => {
    const lets = (address: string) => address === '168.63.129.16';
    await withForwarder({ lets }, async (words) => {
      const first = await check(...words, '--claim', 'F1.cloud', '--seed', '-3');
      expect(first.code).toBe(exitCodes.differs);
      expect(first.stdout).toContain('F1.cloud cloud/168.63.129.16/32/first: falsified');
      expect(first.stdout).toMatch(/observed {2}NOERROR 168\.63\.129\.16 ttl 60/);
      const replay = /^ {2}replay {4}pnpm (.*)$/m.exec(first.stdout)?.[1]?.split(' ') ?? [];
      const again = await runCli(replay);
      expect(again.code).toBe(exitCodes.differs);
      expect(again.stdout).toContain('0 of 1 hold');
      expect(again.stdout).toContain('F1.cloud cloud/168.63.129.16/32/first: falsified');
    });
  });

  test('ends with 3 where nothing is broken and something is unsupported, and says what to give', async () => {
    const { code, stdout } = await withForwarder({}, (words) =>
      check(...words, '--claim', 'F1.iff', 'F1.labels'),
    );
    expect(code).toBe(exitCodes.incomplete);
    expect(stdout).toContain('give --nft-set FAMILY TABLE SET');
    expect(stdout).toContain('give --allow ENTRY');
  });

  test('ends with 3 where nothing listens: nothing counts as held', async () => {
    const [server, upstream] = [(await freeLoopbackEndpoint()).port, (await freeLoopbackEndpoint()).port];
    const { code, stdout } = await check(
      ...['--server', `127.0.0.1:${server}`, '--upstream-listen', `127.0.0.1:${upstream}`],
      ...['--claim', 'F1.cloud', '--timeout', '200'],
    );
    expect(code).toBe(exitCodes.incomplete);
    expect(stdout).toContain(`The server is not there: nothing listens on 127.0.0.1:${server}`);
    expect(stdout).toContain('1 claim: 1 not-run.');
  });
});

describe('what it writes', () => {
  test('as JSON in a file and as JUnit says the same as the table', async () => {
    const [json, junit] = [join(folder, 'found.json'), join(folder, 'found.xml')];
    const refuses = (address: string) => address === '11.0.0.0';
    const words = ['--claim', 'F1.public', 'F1.teardown', '--json', json, '--junit', junit];
    const { stdout } = await withForwarder({ refuses }, (own) => check(...own, ...words));
    const report = JSON.parse(readFileSync(json, 'utf8')) as {
      v: number;
      seed: number;
      claims: { claim: string; outcome: string; parts: { outcome: string; replay: string }[] }[];
    };
    expect(report.v).toBe(1);
    expect(report.claims.map(({ outcome }) => outcome)).toEqual(['falsified', 'unsupported']);
    expect(stdout).toContain(`seed ${report.seed}`);
    const parts = report.claims.flatMap((claim) => claim.parts);
    const count = (outcome: string) => parts.filter((part) => part.outcome === outcome).length;
    const xml = readFileSync(junit, 'utf8');
    expect(count('falsified')).toBe(1);
    expect(xml).toContain(`tests="${parts.length}" failures="1" skipped="1"`);
    expect(xml).toContain('<failure message="falsified: NOERROR">');
  });

  test('interrupted, reports what ran and ends with 130', async () => {
    let killed = false;
    const { code, stdout } = await withForwarder({}, (words) =>
      runCli(['check', 'dns', ...words.slice(0, -1), '40', '--claim', 'F1.special-purpose'], {
        onOutput: (soFar, kill) => {
          // Once: a second one ends it at once, as it should.
          if (killed || !soFar.includes('F1.special-purpose')) return;
          killed = true;
          kill('SIGINT');
        },
      }),
    );
    expect(code).toBe(exitCodes.interrupted);
    expect(stdout).toContain('Cut off: interrupted');
  });
});

describe('what it sends', () => {
  test('a dry run shows every message and sends none of them', async () => {
    const [server, upstream] = [createSocket('udp4'), createSocket('udp4')];
    const seen: Buffer[] = [];
    for (const socket of [server, upstream]) {
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
      socket.on('message', (octets) => seen.push(octets));
    }
    try {
      const { code, stdout } = await check(
        ...['--server', `127.0.0.1:${server.address().port}`],
        ...['--upstream-listen', `127.0.0.1:${upstream.address().port}`, '--dry-run'],
      );
      expect(code).toBe(exitCodes.asDeclared);
      expect(stdout).toContain('Nothing was sent.');
      expect(stdout).toContain('F1.chain answer/other-owner: its owner is not reached from QNAME');
      expect(stdout.match(/^ {2}guest {5}[0-9a-f]+/gm)?.length).toBeGreaterThan(400);
    } finally {
      server.close();
      upstream.close();
    }
    expect(seen).toEqual([]);
  });

  test('off loopback it sends nothing without --i-own-this-target', async () => {
    const words = ['--server', '192.0.2.1:53', '--upstream-listen', '127.0.0.1:0'];
    const refused = await check(...words, '--claim', 'F1.cloud');
    expect(refused.code).toBe(exitCodes.usage);
    expect(refused.stderr).toContain('192.0.2.1:53 is not on loopback');
    expect(refused.stderr).toContain('not-your-target');
    expect((await check(...words, '--dry-run', '--claim', 'F1.cloud')).code).toBe(exitCodes.asDeclared);
  });
});

describe('the published corpus', () => {
  const { vectors } = corpusOf();

  test('names each part once, with a name of its own in every run', () => {
    expect(new Set(vectors.map(({ id }) => id)).size).toBe(vectors.length);
    expect(new Set(vectors.map(({ id }) => labelOf(id))).size).toBe(vectors.length);
    expect(
      vectors.filter(({ clause, never, sends }) => clause === '' || never === '' || sends === ''),
    ).toEqual([]);
  });

  test('is printed as JSON, and written where it is told to', async () => {
    const path = join(folder, 'corpus.json');
    expect((await check('--corpus', path)).code).toBe(exitCodes.asDeclared);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(JSON.parse(JSON.stringify(corpusOf())));
    expect(JSON.parse((await check('--corpus')).stdout).vectors.length).toBe(vectors.length);
  });
});

describe('bad input', () => {
  const server = '127.0.0.1:53';
  const cases: readonly [CheckDnsFlags, RegExp, string][] = [
    [{}, /name it: --server/, 'bad-dns-flag'],
    [{ server: 'localhost:53' }, /write 127\.0\.0\.1:53/, 'bad-dns-flag'],
    [{ server: '127.0.0.1' }, /no address and port/, 'bad-dns-flag'],
    [{ server: '127.0.0.1:0' }, /no address and port/, 'bad-dns-flag'],
    [{ server: '127.0.0.1:70000' }, /no address and port/, 'bad-dns-flag'],
    [{ server: '::1:53' }, /write 127\.0\.0\.1:53 or \[::1\]:53/, 'bad-dns-flag'],
    [{ server: '192.0.2.1:53' }, /an address that the server reaches/, 'bad-dns-flag'],
    [{ server, domain: 'a..b' }, /is no name/, 'bad-dns-flag'],
    [{ server, allow: ['10.0.0.0/8:443'] }, /name or \*\.name/, 'bad-dns-flag'],
    [{ server, denyCidr: ['10.0.0.0/33'] }, /is no prefix/, 'bad-dns-flag'],
    [{ server, nat64Prefix: ['64:ff9b::/95'] }, /RFC 6052 knows/, 'bad-dns-flag'],
    [{ server, nftSet: ['inet', 'filter'] }, /FAMILY TABLE SET/, 'bad-dns-flag'],
    [{ server, claim: ['F1.nothing'] }, /choose of F1\.embedded/, 'unknown-claim'],
    [{ server, claim: ['F1.cloud'], part: ['x'], dryRun: true }, /--corpus lists/, 'bad-dns-flag'],
    [{ server, rate: '0' }, /from 1 to/, 'bad-value'],
    [{ server, timeout: 'soon' }, /from 50 to/, 'bad-value'],
    [{ server, duration: '0' }, /from 1 to/, 'bad-value'],
    [{ server, upstreamListen: '192.0.2.9:53' }, /--dry-run shows/, 'not-your-target'],
    [{ server, nftSet: ['inet', 'huskproof-none', 'none'] }, /nft list sets/, 'no-set'],
    [{ server, netns: 'huskproof-none' }, /the ruleset cannot be read/, 'no-set'],
  ];
  test.each(cases)('%j is refused with what is valid', async (flags, said, code) => {
    const error = await checkDnsCommand(flags).then(
      () => null,
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ code });
    const { message, remediation } = error as CodedError;
    expect(`${message}\n${remediation}`).toMatch(said);
  });

  test('an upstream that cannot listen says where', async () => {
    const taken = await HostileUpstream.open({ address: '127.0.0.1', port: 0 });
    try {
      await expect(HostileUpstream.open(taken.endpoint)).rejects.toMatchObject({
        code: 'no-upstream-listener',
      });
    } finally {
      await taken.close();
    }
  });

  test('a set that cannot be read says which', async () => {
    const nftSets = [{ family: 'inet', table: 'huskproof-none', set: 'none' }];
    await expect(readPinned({ nftSets, netns: undefined })).rejects.toMatchObject({ code: 'no-set' });
  });
});
