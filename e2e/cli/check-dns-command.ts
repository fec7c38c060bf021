/** `pnpm check dns`: does anybody's forwarder hold what finding F1 asks? Plays its hostile upstream and its guest. */
import type { Command } from 'commander';
import { claimIds } from '../blackbox/dns/claim-ids.ts';
import { type Checked, checkServer } from '../blackbox/dns/claims-of-server.ts';
import { corpusOf } from '../blackbox/dns/corpus.ts';
import { endpointText, isLoopback, parseEndpoint } from '../blackbox/dns/endpoint.ts';
import { checkOwner, type DnsFlags, defaultDomain, settingsOf } from '../blackbox/dns/flags.ts';
import { namesUnder } from '../blackbox/dns/names.ts';
import { onStage } from '../blackbox/dns/open-stage.ts';
import { partsOf } from '../blackbox/dns/parts-of.ts';
import { readPinned } from '../blackbox/dns/pinned-sets.ts';
import type { Settings } from '../blackbox/dns/settings.ts';
import { dnsText, dryRunText } from '../report/dns-text.ts';
import { painter } from '../report/terminal.ts';
import { deliver, exitCodeOf, progressTo, replayWords, reportCheck } from './check-report.ts';
import { exitCodes } from './exit-codes.ts';
import { parseInteger, parseSeed } from './parse-values.ts';

export interface CheckDnsFlags extends DnsFlags {
  readonly rate?: string;
  readonly duration?: string;
  readonly timeout?: string;
  readonly wait?: string;
  readonly runs?: string;
  readonly seed?: string;
  readonly json?: string | true;
  readonly junit?: string;
  readonly dryRun?: true;
  readonly corpus?: string | true;
}

const help = `
The check is both ends: the guest that asks the server, and the upstream that the server asks, which lies. Tell the
server to forward --domain (by default ${defaultDomain}) to --upstream-listen, with DNSSEC validation off:

  dnsmasq --no-resolv --server=127.0.0.1#5353        unbound   forward-zone: name: "." forward-addr: 127.0.0.1@5353
  BIND    forwarders { 127.0.0.1 port 5353; };       knot      policy.add(policy.all(policy.STUB('127.0.0.1@5353')))
  pdns    forward-zones-recurse=.=127.0.0.1:5353

Claims: ${claimIds.join(' ')}.
Each is told part by part: holds, falsified, hung, crashed, garbage, flood; unsupported and not-run with the reason. A
public A and AAAA must be answered first (the positive control), else nothing is judged. Pins are judged where
--nft-set or --netns says which sets of nf_tables they are. The parts: docs/dns-corpus.md; what five resolvers do:
docs/resolvers.md.

Examples:
  pnpm check dns --server 127.0.0.1:53 --upstream-listen 127.0.0.1:5353
  pnpm check dns --server 127.0.0.1:53 --upstream-listen 127.0.0.1:5353 --claim F1.chain F1.question --seed 7
  pnpm check dns --server 127.0.0.1:53 --upstream-listen 127.0.0.1:5353 --domain wild.test --allow '*.wild.test'
  pnpm check dns --server 192.0.2.1:53 --upstream-listen 192.0.2.9:53 --i-own-this-target --dry-run
  pnpm --silent check dns --corpus > corpus.json

Exit codes: 0 every claim holds, 1 one is broken, 2 bad input (nothing was sent), 3 none is broken but one is
unsupported or not-run, 70 internal error, 130 interrupted (what ran is reported), 141 output closed`;

export function addCheckDnsOptions(command: Command): Command {
  return command
    .option('--server <addr:port>', 'the server that is judged')
    .option('--upstream-listen <addr:port>', 'where we are its upstream (default: a free port, printed)')
    .option('--domain <name>', `names under which we ask; forwarded to us (default: ${defaultDomain})`)
    .option('--allow <entry...>', 'entries of the server’s allowlist: name or *.name (default: it has none)')
    .option('--deny-cidr <prefix...>', 'ranges that the server was told to refuse as well')
    .option('--nat64-prefix <prefix...>', 'prefixes of the operator’s own translator (RFC 6052)')
    .option(
      '--nft-set <family-table-set...>',
      'three words: the set that the server pins into; again for more',
    )
    .option('--netns <name>', 'the network namespace of the sets; without --nft-set: all of its sets')
    .option('--tcp', 'ask over TCP')
    .option('--claim <id...>', 'only these claims')
    .option('--part <id...>', 'only these parts of them')
    .option('--rate <n>', 'questions a second, at most (default: 500; off loopback 50)')
    .option('--duration <seconds>', 'stop after (default: 300)')
    .option('--timeout <ms>', 'longest wait for an answer (default: 3000)')
    .option(
      '--wait <seconds>',
      'for the server to be told its upstream (default: 60 with a free port, else 0)',
    )
    .option('--runs <n>', 'generated cases of each kind (default: 40)')
    .option('--seed <n>', '32-bit integer for them (default: a fresh one, printed)')
    .option('--json [file]', 'the result as JSON, on stdout or in a file')
    .option('--junit <file>', 'the result as JUnit XML')
    .option('--dry-run', 'show what would be sent, open no socket')
    .option('--i-own-this-target', 'the server is not on loopback, and is mine')
    .option('--corpus [file]', 'the published parts as JSON, on stdout or in a file; nothing is sent')
    .addHelpText('after', help);
}

export async function checkDnsCommand(flags: CheckDnsFlags): Promise<number> {
  if (flags.corpus !== undefined) {
    deliver(`${JSON.stringify(corpusOf(), null, 1)}\n`, flags.corpus);
    return exitCodes.asDeclared;
  }
  const settings = readSettings(flags);
  if (flags.dryRun === true) {
    const text = dryRunText(partsOf(settings), namesUnder(settings.domain, 'dry-run'), settings);
    process.stdout.write(`${text}\n`);
    return exitCodes.asDeclared;
  }
  checkOwner(settings, flags.iOwnThisTarget === true);
  // A set that cannot be read is bad input: said before anything is sent.
  if (settings.nftSets.length > 0 || settings.netns !== undefined) await readPinned(settings);
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort()).once('SIGTERM', () => interrupt.abort());
  const begin = performance.now();
  const { checked, upstream } = await onStage(settings, interrupt.signal, async (opened) => {
    const where = endpointText(opened.upstream.endpoint);
    process.stderr.write(pointing(where, settings));
    return { checked: await checkServer(opened.stage, progressTo(process.stderr)), upstream: where };
  });
  report(flags, settings, checked, upstream, (performance.now() - begin) / 1_000);
  return interrupt.signal.aborted ? exitCodes.interrupted : exitCodeOf(checked);
}

function readSettings(flags: CheckDnsFlags): Settings {
  const local = flags.server === undefined || isLoopback(parseEndpoint('--server', flags.server));
  const number = (option: string, text: string | undefined, usual: number, least: number, most: number) =>
    parseInteger(option, text ?? String(usual), least, most);
  return settingsOf(flags, {
    perSecond: number('--rate', flags.rate, local ? 500 : 50, 1, 100_000),
    durationMs: number('--duration', flags.duration, 300, 1, 86_400) * 1_000,
    timeoutMs: number('--timeout', flags.timeout, 3_000, 50, 60_000),
    waitMs: number('--wait', flags.wait, flags.upstreamListen === undefined ? 60 : 0, 0, 3_600) * 1_000,
    seed: parseSeed(flags.seed),
    runs: number('--runs', flags.runs, 40, 0, 10_000),
  });
}

function pointing(upstream: string, { domain, waitMs }: Settings): string {
  const wait = waitMs === 0 ? '' : `; it has ${waitMs / 1_000} s to begin`;
  return `Upstream on ${upstream}, UDP and TCP: the server forwards ${domain.join('.')} to it${wait}.\n`;
}

function report(
  flags: CheckDnsFlags,
  settings: Settings,
  checked: Checked,
  upstream: string,
  seconds: number,
): void {
  const words = ['pnpm', 'check', 'dns', ...replayWords(flags, flagNames), '--upstream-listen', upstream];
  reportCheck(flags, {
    kind: 'dns',
    where: { target: endpointText(settings.server), upstream },
    seed: settings.seed,
    words: [...words, '--runs', String(settings.runs), '--seed', String(settings.seed)],
    ...{ checked, seconds },
    text: (replays) => dnsText({ checked, settings, upstream, ...replays, seconds }, painter(process.stdout)),
  });
}

const flagNames: Readonly<Record<string, string>> = {
  server: '--server',
  domain: '--domain',
  allow: '--allow',
  denyCidr: '--deny-cidr',
  nat64Prefix: '--nat64-prefix',
  nftSet: '--nft-set',
  netns: '--netns',
  tcp: '--tcp',
  rate: '--rate',
  duration: '--duration',
  timeout: '--timeout',
  iOwnThisTarget: '--i-own-this-target',
};
