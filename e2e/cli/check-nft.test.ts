/** `pnpm check nft` as a user meets it: what it prints and writes, how it ends, what it refuses and why. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { makeLabFolder, removeLabFolder } from '#kvm-lab/leftovers/lab-folder.ts';
import { privateNetworkReadiness } from '#kvm-lab/providers/netns/private-process.ts';
import { accept, field, listing, match } from '#properties/oracles/nft/fixtures.ts';
import { capturePath } from '../blackbox/nft/committed-captures.ts';
import { referenceListing } from '../blackbox/nft/reference-ruleset.ts';
import { checkTarget, send } from '../blackbox/nft/send.ts';
import { rulesetsPage } from '../report/rulesets-page.ts';
import { exitCodes } from './exit-codes.ts';
import { runCli } from './run-cli.ts';

const folder = makeLabFolder('nft');
afterAll(() => removeLabFolder(folder));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const place = [
  ...['--tap', 'tap0', '--guest', '10.200.0.2', '--guest-mac', '02:00:00:00:00:02'],
  ...['--resolver', '10.200.0.1', '--uplink', 'eth0', '--local', '10.200.0.1/30', '172.20.0.10/24'],
];
const policy = [
  ...['--allow', 'tcp:203.0.113.0/24:443', 'udp:10.96.0.10:5353', '--inbound', 'tcp:80'],
] as const;
const reference = file('reference.json', referenceListing());
const empty = file('empty.json', '{"nftables": []}');
const check = (...words: readonly string[]) => runCli(['check', 'nft', ...words]);

describe('pnpm check nft', () => {
  test('ends with 0 where every claim holds, and says within what', async () => {
    const { code, stdout } = await check('--ruleset', reference, ...place, ...policy);
    expect(stdout).toContain('6 claims: 6 holds, 0 falsified, 0 unsupported. Nothing was sent to find this.');
    expect(stdout).toContain('sets hold what they held when the ruleset was read');
    expect(stdout).not.toContain('\u001b[');
    expect(code).toBe(exitCodes.asDeclared);
  });

  test('ends with 1 where one is falsified: words, hex, path and a pcap file that tcpdump could read', async () => {
    const pcap = join(folder, 'pcap');
    const { code, stdout } = await check('--ruleset', capturePath('libvirt'), '--pcap', pcap);
    expect(code).toBe(exitCodes.differs);
    expect(stdout).toContain('192.168.122.2:40000 → 169.254.169.254:80, new');
    expect(stdout).toMatch(/LIBVIRT_FWO, rule \d+: iifname "virbr0" saddr 192\.168\.122\/24 accept/);
    const written = readFileSync(join(pcap, 'F4.leave-metadata.pcap'));
    const hex = written.subarray(40).toString('hex');
    expect(stdout).toContain(`hex     ${hex}`);
    expect(readdirSync(pcap).length).toBe(stdout.match(/^ {2}pcap /gm)?.length);
  });

  test('ends with 3 where nothing is falsified and something is unsupported, and says what to give', async () => {
    const { code, stdout } = await check('--ruleset', empty, '--uplink', 'eth0', '--local', '172.20.0.10/24');
    expect(code).toBe(exitCodes.incomplete);
    expect(stdout).toContain('give --tap INTERFACE');
  });

  test('prints its replay line so that it finds the same again', async () => {
    const first = await check('--ruleset', empty, ...place, '--allow', 'none');
    const again = /^Again: pnpm (.*)$/m.exec(first.stdout)?.[1]?.split(' ') ?? [];
    const plain = (text: string) => text.replaceAll(/\d+ ms/g, '').replaceAll(/ +/g, ' ');
    expect(plain((await runCli(again)).stdout)).toBe(plain(first.stdout));
  });

  test('as JSON holds the same, and as JUnit skips what is unsupported', async () => {
    const socket = match({ socket: { key: 'transparent' } }, 1);
    const rules = [[match(field('ip', 'saddr'), '10.200.0.2'), socket, accept]];
    const listed = listing('inet', [{ name: 'in', hook: 'input', policy: 'drop', rules }]);
    const junit = join(folder, 'junit.xml');
    const words = ['--ruleset', file('socket.json', listed), ...place, '--allow', 'none'];
    const { stdout } = await check(...words, '--json', '--junit', junit);
    const report = JSON.parse(stdout) as {
      v: number;
      claims: {
        claim: string;
        outcome: string;
        parts: { outcome: string; reason?: string; words?: string }[];
      }[];
    };
    expect(report.v).toBe(1);
    const [input] = report.claims;
    expect(input?.outcome).toBe('unsupported');
    expect(input?.parts[0]?.reason).toMatch(/socket/);
    const parts = report.claims.flatMap((one) => one.parts);
    const count = (outcome: string) => parts.filter((part) => part.outcome === outcome).length;
    const xml = readFileSync(junit, 'utf8');
    expect(xml).toContain(
      `tests="${parts.length}" failures="${count('falsified')}" skipped="${count('unsupported')}"`,
    );
    expect(xml).toContain('<skipped message="inet t in rule');
    expect(parts.filter((part) => part.outcome === 'falsified').every((part) => part.words)).toBe(true);
  });
});

describe('bad input', () => {
  const setOf = (type: string) =>
    listing('inet', [], [{ set: { family: 'inet', table: 't', name: 's', type, elem: ['nobody'] } }]);
  const strangeSet = setOf('inet_service');
  const strangeType = setOf('time');
  const ingress = listing('netdev', [{ name: 'i', hook: 'ingress', rules: [] }]);
  test.each([
    [['--ruleset', '/nowhere/rules.json'], /ENOENT[\s\S]*that is there/, 'bad-ruleset'],
    [['--ruleset', file('text.json', 'table inet t { }')], /is not JSON[\s\S]*-j/, 'bad-ruleset'],
    [['--ruleset', file('other.json', '{"a": 1}')], /nft -j list ruleset/, 'bad-ruleset'],
    [['--ruleset', file('old.json', '{"kind": "huskproof-ruleset"}')], /capture it anew/, 'bad-ruleset'],
    [['--ruleset', file('ingress.json', ingress), ...place], /--ingress-dev/, 'bad-ruleset'],
    [['--ruleset', file('value.json', strangeSet), ...place], /give the output of nft -j/, 'bad-ruleset'],
    [['--ruleset', file('type.json', strangeType), ...place], /--netns instead/, 'bad-ruleset'],
    [[], /either --ruleset FILE.json .* or --netns NAME/, 'bad-nft-flag'],
    [['--ruleset', empty, '--netns', 'x'], /either --ruleset/, 'bad-nft-flag'],
    [['--netns', 'no-such-namespace'], /ip netns list/, 'no-namespace'],
    [['--netns', '/proc/self/exe'], /cannot be read: setns: EINVAL/, 'no-namespace'],
    [['--ruleset', empty, '--tap', 'tap0'], /give each --tap its --guest/, 'bad-nft-flag'],
    [['--ruleset', empty, '--tap', 'tap0', '--guest', '10.0.0.256'], /IPv4 address/, 'bad-nft-flag'],
    [['--ruleset', empty, '--tap', 'a b', '--guest', '10.0.0.2'], /name of an interface/, 'bad-nft-flag'],
    [['--ruleset', empty, ...place, '--guest-mac', '02:00'], /give each --tap/, 'bad-nft-flag'],
    [['--ruleset', empty, ...place, '--allow', 'tcp:10.0.0.0/33:1'], /tcp:203\.0\.113\.0/, 'bad-nft-flag'],
    [['--ruleset', empty, ...place, '--allow', 'tcp:10.0.0.0/8:90-80'], /a range/, 'bad-nft-flag'],
    [['--ruleset', empty, ...place, '--inbound', 'icmp:1'], /such as tcp:80/, 'bad-nft-flag'],
    [['--ruleset', empty, ...place, '--resolver', 'dns'], /IPv4 or IPv6/, 'bad-nft-flag'],
    [['--ruleset', empty, '--local', '300.1.1.1'], /ADDR\/LEN@INTERFACE/, 'bad-nft-flag'],
    [
      ['--ruleset', empty, '--tap', 'tap0', '--guest', '10.0.0.2'],
      /--local ADDRESS\/LENGTH@tap0/,
      'bad-topology',
    ],
    [['--ruleset', capturePath('ufw'), '--uplink', 'eth9'], /that is there: lo, /, 'bad-topology'],
  ])('%s is refused with what to do, and no stack trace', async (words, hint, errorCode) => {
    const { code, stderr, stdout } = await check(...words);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toMatch(hint);
    expect(stderr).toContain(`[${errorCode}]`);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(stdout).toBe('');
  });

  test('an unknown tool of the lab is refused with those that are known', async () => {
    const { code, stderr } = await runCli(['lab', 'rulesets', 'shorewall']);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toMatch(/valid: libvirt, netavark/);
    expect(stderr).toContain('unknown-tool');
  });

  test('a folder that cannot be made is refused by name', async () => {
    const words = ['--ruleset', empty, ...place, '--allow', 'none', '--pcap', `${empty}/pcap`];
    const { code, stderr } = await check(...words);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toContain('[report-not-written]');
  });
});

describe('a network namespace', () => {
  const script = [
    'ip link set lo up; ip link add tap0 type veth peer name far0; ip link add eth0 type veth peer name far1',
    'ip link set tap0 address 02:00:00:00:00:01',
    'ip addr add 10.200.0.1/30 dev tap0; ip addr add 172.20.0.10/24 dev eth0',
    'for one in tap0 far0 eth0 far1; do ip link set $one up; done; ip route add default via 172.20.0.1',
    'nft add table inet t; nft add chain inet t f "{ type filter hook forward priority 0; policy drop; }"',
    'exec "$@"',
  ].join('\n');
  const namespace = '/proc/self/ns/net';
  const words = [
    ...['--netns', namespace, '--tap', 'tap0', '--guest', '10.200.0.2', '--resolver', '10.200.0.1'],
    ...['--uplink', 'eth0', '--allow', 'any'],
  ];

  /** In a namespace that ends with the command; null where this machine has none. */
  function inNamespace(...more: readonly string[]): string | null {
    const readiness = privateNetworkReadiness();
    if (!readiness.ready) {
      expect(readiness.remedy).not.toBe('');
      return null;
    }
    const own = process.getuid?.() === 0 ? ['-n'] : ['-Urn'];
    const command = ['sh', '-c', script, 'sh', process.execPath, 'e2e/cli/cli.ts', 'check', 'nft', ...words];
    try {
      const stdio = ['ignore', 'pipe', 'pipe'] as const;
      return execFileSync('unshare', [...own, ...command, ...more], { encoding: 'utf8', stdio: [...stdio] });
    } catch (error) {
      if (!(error instanceof Error && 'stdout' in error)) throw error;
      return String(error.stdout);
    }
  }

  test('is read as it is: ruleset, addresses, routes and links', () => {
    const stdout = inNamespace('--json');
    if (stdout === null) return;
    const { claims } = JSON.parse(stdout) as { claims: { claim: string; outcome: string }[] };
    const outcome = Object.fromEntries(claims.map((one) => [one.claim, one.outcome]));
    expect(outcome['F4.leave']).toBe('holds');
    expect(outcome['F4.input']).toBe('falsified');
  });

  test('is sent the counterexamples when asked to, and the kernel answers the one that should not be heard', () => {
    const stdout = inNamespace('--send-on', 'far0', '--i-own-this-target', '--rate', '100');
    if (stdout === null) return;
    expect(stdout).toMatch(/^Sent (\d+) of \1 frames on far0/m);
    expect(stdout).toMatch(/^ {2}F4\.input listeners {2}.*Tcp (InSegs|OutRsts) \+1/m);
  });
});

test('a dry run shows each frame and sends none', async () => {
  const words = ['--netns', '/proc/self/ns/net', '--send-on', 'none0', '--dry-run', '--uplink', 'lo'];
  const { stdout } = await check(...words);
  expect(stdout).toMatch(/^Would send \d+ frames? on none0 .*; nothing was sent:/m);
});

describe('sending', () => {
  const target = ['--netns', 'pod1', '--send-on', 'far0'];

  test('to a target that is not of the lab is refused before anything is read', async () => {
    const { code, stderr, stdout } = await check(...target);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toMatch(/--dry-run; if the target is yours, say so with --i-own-this-target/);
    expect(stderr).toContain('[not-your-target]');
    expect(stdout).toBe('');
  });

  test('from a namespace of the lab to one of another is refused as well', () => {
    expect(() => checkTarget({ netns: 'huskproof-1', sendOn: 'far0@pod1' })).toThrow(
      expect.objectContaining({ code: 'not-your-target' }),
    );
    expect(() => checkTarget({ netns: 'pod1', sendOn: 'far0@huskproof-1' })).toThrow(/nothing is sent/);
    expect(checkTarget({ netns: 'huskproof-1', sendOn: 'far0' }).from).toBe('huskproof-1');
  });

  test.each([
    [['--ruleset', empty, '--send-on', 'far0'], /a file is sent nothing/, 'bad-nft-flag'],
    [[...target, '--i-own-this-target', '--rate', '1001'], /from 1 to 1000/, 'bad-value'],
    [[...target, '--i-own-this-target', '--time-limit', '0'], /from 1 to 600/, 'bad-value'],
  ])('%s is refused: rate and time have bounds', async (words, hint, errorCode) => {
    const { code, stderr } = await check(...words);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toMatch(hint);
    expect(stderr).toContain(`[${errorCode}]`);
  });

  test('on an interface that is not there ends with its name', async () => {
    const where = { target: '/proc/self/ns/net', device: 'none0', from: '/proc/self/ns/net' };
    const shots = [{ claim: 'F4.input', part: 'listeners', frame: '00'.repeat(60) }];
    const sending = send({ ...where, shots, notSent: [] }, { perSecond: 10, timeLimitMs: 1_000 });
    await expect(sending).rejects.toMatchObject({ code: 'not-sent' });
  });
});

test('docs/rulesets.md is what the committed captures say: pnpm generate changes nothing', async () => {
  const { path, text } = await rulesetsPage();
  expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text);
});
