/**
 * `pnpm sandbox dns` from end to end: a namespace, a stub upstream, TCP connections before, between and after. Every
 * address that is denied was reached before the filter stood.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openLog } from '#reference/base/log.ts';
import { NetworkNamespace } from '#reference/base/namespace-thread.ts';
import { close, recv, SyscallError, send } from '#reference/base/syscalls.ts';
import { run } from '#reference/datapath/kernel-ground.ts';
import { startEgressFilter } from '#reference/dnsproxy/egress/egress-filter.ts';
import { toSocketEndpoint } from '#reference/dnsproxy/packets/socket-address.ts';
import { openConnected } from '#reference/dnsproxy/packets/udp-socket.ts';
import {
  a,
  aaaa,
  question,
  type ReadAnswer,
  readAnswer,
  reply,
} from '#reference/dnsproxy/sample-messages.ts';
import { type UpstreamStub, upstreamStub } from '#reference/dnsproxy/upstream-stub.ts';

const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
const allowed = '93.184.215.14';
const other = '93.184.215.15';
const metadata = '169.254.169.254';
const six = '2606:4700::1';
const gateway = '10.9.0.1';
const everywhere = [allowed, other, metadata, six, gateway];
/** Of an allowed range: each carries an IPv4, by ISATAP or under a NAT64 prefix of 48 bits. */
const nat64Prefix = '2a00:64:64::/48';
const carrying = {
  metadata: ['2a00::5efe:a9fe:a9fe', '2a00::200:5efe:a9fe:a9fe'],
  public: ['2a00::5efe:5db8:d70e', '2a00::1'],
  underNat64: ['2a00:64:64:a9fe:a9:fe00::', '2a00:64:64:5db8:1d7:e00::'],
  publicUnderNat64: ['2a00:64:64:5db8:d7:e00::'],
} as const;
const allCarrying = Object.values(carrying).flat();

let target: ChildProcess;
let there: NetworkNamespace;
let upstream: UpstreamStub;
const servers: Server[] = [];
/** What each address heard, all connections together. */
const heard = new Map<string, string>();
const children: ChildProcess[] = [];

/** Runs in the namespace that is filtered. */
const inside = (...command: string[]) => run('nsenter', '-t', String(target.pid), '-n', ...command);

/** What becomes of a TCP connection from in there: as curl would see it. */
function connects(address: string, port = 443): 'connected' | 'no answer' | 'refused' {
  const shell = ['timeout', '0.7', 'bash', '-c', `exec 3<>/dev/tcp/${address}/${port}`];
  const { status } = spawnSync('nsenter', ['-t', String(target.pid), '-n', ...shell]);
  if (status === 124) return 'no answer';
  return status === 0 ? 'connected' : 'refused';
}

/** Asks the resolver from in there. */
async function resolves(name: string, type: 'A' | 'AAAA' = 'A'): Promise<ReadAnswer> {
  const fd = there.within(() => openConnected(toSocketEndpoint({ address: '127.0.0.1', port: 53 })));
  try {
    send(fd, question(name, { type }));
    const buffer = Buffer.alloc(2_048);
    const end = performance.now() + 10_000;
    while (performance.now() < end) {
      try {
        return readAnswer(buffer.subarray(0, recv(fd, buffer)));
      } catch (error) {
        if (!(error instanceof SyscallError) || error.code !== 'EAGAIN') throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error('the resolver did not answer');
  } finally {
    close(fd);
  }
}

/** The command, once it says that it filters. */
async function sandboxDns(...flags: string[]): Promise<ChildProcess> {
  const upstreamFlag = ['--upstream', `${upstream.endpoint.address}:${upstream.endpoint.port}`];
  const child = spawn(
    process.execPath,
    [cli, 'sandbox', 'dns', '--pid', String(target.pid), ...upstreamFlag, ...flags],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  children.push(child);
  let said = '';
  child.stderr?.on('data', (text) => {
    said += text;
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (text) => {
      if (String(text).includes('filtering; its processes ask 127.0.0.1:53')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
  });
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exited = once(child, 'exit');
  child.kill(signal);
  const [code] = await exited;
  return code as number | null;
}

beforeAll(async () => {
  target = spawn('unshare', ['-n', 'sleep', '600'], { stdio: 'ignore' });
  const own = run('readlink', '/proc/self/ns/net');
  while (run('readlink', `/proc/${target.pid}/ns/net`) === own) await new Promise((go) => setTimeout(go, 5));
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far');
  run('ip', 'link', 'set', 'far', 'netns', String(target.pid));
  run('ip', 'address', 'add', `${gateway}/24`, 'dev', 'near');
  run('ip', '-6', 'address', 'add', 'fd00:9::1/64', 'dev', 'near', 'nodad');
  run('ip', 'link', 'set', 'near', 'up');
  for (const address of [allowed, other, metadata]) run('ip', 'address', 'add', `${address}/32`, 'dev', 'lo');
  for (const address of [six, ...allCarrying])
    run('ip', '-6', 'address', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
  inside('ip', 'link', 'set', 'lo', 'up');
  inside('ip', 'address', 'add', '10.9.0.2/24', 'dev', 'far');
  inside('ip', '-6', 'address', 'add', 'fd00:9::2/64', 'dev', 'far', 'nodad');
  inside('ip', 'link', 'set', 'far', 'up');
  inside('ip', 'route', 'add', 'default', 'via', gateway);
  inside('ip', '-6', 'route', 'add', 'default', 'via', 'fd00:9::1');
  there = new NetworkNamespace(`/proc/${target.pid}/ns/net`);
  for (const address of [...everywhere, ...allCarrying]) {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (text) => heard.set(address, (heard.get(address) ?? '') + text));
    }).listen(443, address);
    await once(server, 'listening');
    servers.push(server);
  }
  upstream = await upstreamStub((query) => {
    const isSix = query[query.length - 14] === 28;
    return reply(query, isSix ? [aaaa('26064700000000000000000000000001')] : [a(allowed, 60)]);
  });
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) await end(child, 'SIGTERM');
  }
});

afterAll(async () => {
  for (const server of servers) server.close();
  await upstream.close();
  there.close();
  target.kill('SIGKILL');
});

describe('a namespace whose names the proxy resolves', () => {
  test('reaches what it resolved and what a CIDR allows, and nothing else; all of it before and after', async () => {
    expect(everywhere.map((address) => connects(address))).toEqual(everywhere.map(() => 'connected'));
    const child = await sandboxDns(
      '--allow',
      'example.com:443',
      '--allow',
      `${gateway}/32:443`,
      '--allow',
      `${metadata}/32:443`,
    );
    expect(connects(allowed)).toBe('no answer');
    expect(connects(gateway)).toBe('connected');

    expect(await resolves('evil.test')).toMatchObject({ rcode: 5 });
    expect(await resolves('example.com')).toMatchObject({ rcode: 0, addresses: [allowed] });
    expect(connects(allowed)).toBe('connected');
    expect(connects(allowed, 80)).toBe('no answer');
    expect([other, metadata, six].map((address) => connects(address))).toEqual([
      'no answer',
      'no answer',
      'no answer',
    ]);
    expect(await resolves('example.com', 'AAAA')).toMatchObject({ rcode: 0, addresses: [] });

    expect(await end(child, 'SIGTERM')).toBe(0);
    expect(inside('nft', 'list', 'ruleset')).toBe('');
    expect(everywhere.map((address) => connects(address))).toEqual(everywhere.map(() => 'connected'));
  });

  test('never goes on with a connection from before the filter', async () => {
    const talk = async (filter: boolean) => {
      heard.clear();
      const shell = `exec 3<>/dev/tcp/${other}/443; echo one >&3; read line; echo two >&3; sleep 0.5`;
      const flow = spawn('nsenter', ['-t', String(target.pid), '-n', 'bash', '-c', shell], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      const ended = once(flow, 'exit');
      while (heard.get(other) !== 'one\n') await new Promise((resolve) => setTimeout(resolve, 5));
      const child = filter ? await sandboxDns('--allow', 'example.com:443') : null;
      flow.stdin?.write('\n');
      await ended;
      const octets = heard.get(other);
      // What the kernel still tries to send may pass once the filter is gone.
      if (child !== null) await end(child, 'SIGTERM');
      return octets;
    };
    expect(await talk(false)).toBe('one\ntwo\n');
    // The window is that of the control: the same half second after the line was written.
    expect(await talk(true)).toBe('one\n');
  });

  test('reaches by IPv6 what it resolved, where that is on', async () => {
    await sandboxDns('--ipv6', '--allow', 'example.com:443');
    expect(connects(six)).toBe('no answer');
    expect((await resolves('example.com', 'AAAA')).addresses).toHaveLength(1);
    expect(connects(six)).toBe('connected');
    expect(connects(allowed)).toBe('no answer');
  });
});

describe('an allowed range of IPv6', () => {
  const allow = '2a00::/16:443';
  const connected = (addresses: readonly string[]) =>
    addresses.filter((one) => connects(one) === 'connected');

  test('never opens the metadata service inside ISATAP, and opens what carries a public address', async () => {
    expect(connected(allCarrying)).toEqual(allCarrying);
    const child = await sandboxDns('--ipv6', '--allow', allow);
    expect(connected([...carrying.metadata, ...carrying.public])).toEqual(carrying.public);
    await end(child, 'SIGTERM');
    expect(connected(carrying.metadata)).toEqual(carrying.metadata);
  });

  test('never opens what a NAT64 prefix of the operator translates to metadata, or at all with a u-octet', async () => {
    const filter = await startEgressFilter({
      namespacePath: `/proc/${target.pid}/ns/net`,
      listen: [{ address: '127.0.0.1', port: 53 }],
      policy: {
        ...{ allow: [allow], denyCIDRs: [], nat64Prefixes: [nat64Prefix], pinPrivateCIDRs: [], ipv6: true },
      },
      upstreams: [upstream.endpoint],
      io: 'dgram',
      log: openLog('egress-test', 'error'),
    });
    try {
      expect(connected(allCarrying)).toEqual([...carrying.public, ...carrying.publicUnderNat64]);
    } finally {
      await filter.stop();
    }
    expect(connected(allCarrying)).toEqual(allCarrying);
  });
});

describe('the filter', () => {
  test('stays closed when the proxy is killed, and is served by the next', async () => {
    const killed = await sandboxDns('--allow', 'example.com:443', '--allow', '*.other.test:80');
    await resolves('n.other.test');
    await end(killed, 'SIGKILL');
    expect(everywhere.map((address) => connects(address))).toEqual(everywhere.map(() => 'no answer'));
    // Of what is pinned the kernel goes on to say yes, until its time is over.
    expect(connects(allowed, 80)).toBe('refused');
    const next = await sandboxDns('--allow', 'example.com:443');
    expect(connects(allowed)).toBe('no answer');
    await resolves('example.com');
    expect(connects(allowed)).toBe('connected');
    await end(next, 'SIGTERM');
    expect(connects(other)).toBe('connected');
  });

  test('is never cut off for its own, nor filtered twice, nor half', async () => {
    const refusalOf = async (...flags: string[]) => {
      const child = spawn(process.execPath, [cli, 'sandbox', 'dns', ...flags], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      child.stderr?.on('data', (text) => {
        said += text;
      });
      await once(child, 'close');
      return said;
    };
    const pid = ['--pid', String(target.pid), '--upstream', '127.0.0.1'];
    expect(await refusalOf('--pid', String(process.pid), '--upstream', '127.0.0.1')).toContain(
      'own-namespace',
    );
    expect(await refusalOf('--netns', 'nobody', '--upstream', '127.0.0.1')).toContain('[no-namespace]');
    expect(await refusalOf(...pid, '--allow', 'bücher.example:443')).toContain(
      'write the A-label: "xn--bcher-kva.example:443" [bad-allow-entry]',
    );
    expect(await refusalOf(...pid, '--listen', '198.51.100.1')).toContain('[no-such-address]');
    expect(await refusalOf(...pid, '--allow', 'x.test:443', '--allow', 'tcp://X.test:443')).toContain(
      'says the same',
    );
    expect(inside('nft', 'list', 'ruleset')).toBe('');
    await sandboxDns('--allow', 'example.com:443');
    expect(await refusalOf(...pid, '--allow', 'x.test:443')).toContain('filter-taken');
    expect((await resolves('example.com')).addresses).toEqual([allowed]);
  });
});
