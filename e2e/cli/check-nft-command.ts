/** `pnpm check nft`: does anybody's ruleset hold a hostile guest, as finding F4 asks? Looks; sends only when told to. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { readEnvironment } from '#properties/matrix/environment.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { type Checked, checkClaims } from '../blackbox/nft/claims-of-ruleset.ts';
import type { NftFlags } from '../blackbox/nft/flags.ts';
import { pcapFile } from '../blackbox/nft/frame.ts';
import { packetWords } from '../blackbox/nft/packet-words.ts';
import { checkTarget, ownPrefix, planOf, type SendFlags, send } from '../blackbox/nft/send.ts';
import { readSubject } from '../blackbox/nft/subject.ts';
import { nftJunit } from '../report/nft-junit.ts';
import { nftText, partKey, sendText } from '../report/nft-text.ts';
import { shellWords } from '../report/shell-words.ts';
import { painter } from '../report/terminal.ts';
import { writeReport } from '../report/write-report.ts';
import { replayWords } from './check-report.ts';
import { exitCodes } from './exit-codes.ts';
import { parseInteger } from './parse-values.ts';

export interface CheckNftFlags extends NftFlags, SendFlags {
  readonly rate?: string;
  readonly timeLimit?: string;
  readonly json?: true;
  readonly junit?: string;
  readonly pcap?: string;
}

const help = `
What is judged: input (a guest reaches no listener but the resolver), source (no forged source, MAC, tag, family
or ARP has an effect), leave (nothing leaves to metadata, private or other destinations), established (a flow's
packets are its guest's), inbound (nothing reaches the guest but replies), pod (uplink and pod are not disturbed).
Each is answered for every packet at once: holds, falsified with one packet, or unsupported with the reason. What
the evaluator understands: docs/nft-oracle.md; what it found in rulesets of libvirt, podman, CNI, Docker, firewalld
and ufw: docs/rulesets.md.

A file knows nothing of the network around it: --local says which addresses this host has. A namespace says it
itself, and the flags go before what it says. Of a bridge, name the port: --tap vnet0 (--netns), --tap vnet0@virbr0
(a file). Nothing is sent without --send-on, and then only to namespaces whose names begin with ${ownPrefix}, unless
you say that the target is yours.

Examples:
  nft -j list ruleset > rules.json
  pnpm check nft --ruleset rules.json --tap tap0 --guest 10.200.0.2 --guest-mac 02:00:00:00:00:02 \\
      --resolver 10.200.0.1 --uplink eth0 --local 10.200.0.1/30 172.20.0.10/24 --allow tcp:203.0.113.0/24:443
  pnpm check nft --netns pod1 --tap tap0 --guest 10.200.0.2 --resolver none --uplink eth0 --allow any --pcap out
  pnpm --silent check nft --ruleset properties/vectors/rulesets/libvirt.json --json

Exit codes: 0 every claim holds, 1 one is falsified, 2 bad input (nothing was judged), 3 none is falsified but one is
unsupported, 70 internal error, 141 output closed`;

export function addCheckNftOptions(command: Command): Command {
  return command
    .option('--ruleset <file>', 'the output of nft -j list ruleset, or a capture of pnpm lab rulesets')
    .option('--netns <name>', 'read ruleset, addresses, routes and links of this network namespace')
    .option('--ingress-dev <if...>', 'devices of ingress chains that name none (nft 1.0.6 leaves them out)')
    .option('--tap <if...>', 'where the guest’s packets come from; several are judged one by one')
    .option('--guest <ip...>', 'the guest’s IPv4 address, one for each --tap')
    .option('--guest-mac <mac...>', 'the guest’s MAC, one for each --tap')
    .option('--resolver <ip>', 'the one listener that a guest may reach, port 53; or none')
    .option('--uplink <if>', 'where the world is')
    .option('--local <addr...>', 'addresses of this host: ADDR/LEN, or ADDR/LEN@IF')
    .option(
      '--allow <entry...>',
      'what a guest may begin: proto:CIDR:port, none, or any (all but deny lists)',
    )
    .option('--inbound <entry...>', 'what may begin towards the guest: proto:port (default: nothing)')
    .option('--json', 'the result as JSON on stdout')
    .option('--junit <file>', 'the result as JUnit XML')
    .option('--pcap <folder>', 'each counterexample as a pcap file in this folder')
    .option(
      '--send-on <if[@ns]>',
      'put the counterexamples on the guest’s end of its link, and show what counts',
    )
    .option('--dry-run', 'with --send-on: show what would be sent, send nothing')
    .option('--i-own-this-target', 'with --send-on: the target is no namespace of the lab, and is mine')
    .option('--rate <n>', 'with --send-on: frames a second', '10')
    .option('--time-limit <seconds>', 'with --send-on: stop after', '30')
    .addHelpText('after', help);
}

export async function checkNftCommand(flags: CheckNftFlags): Promise<number> {
  const where = flags.sendOn === undefined ? null : checkTarget(flags);
  const bounds = {
    perSecond: parseInteger('--rate', flags.rate ?? '10', 1, 1_000),
    timeLimitMs: parseInteger('--time-limit', flags.timeLimit ?? '30', 1, 600) * 1_000,
  };
  const subject = await readSubject(flags);
  const begin = performance.now();
  const checked = checkClaims(subject);
  const ms = Math.round(performance.now() - begin);
  const files = flags.pcap === undefined ? new Map<string, string>() : writePcaps(flags.pcap, checked);
  const replay = shellWords(['pnpm', 'check', 'nft', ...replayWords(flags, flagNames)]);
  if (flags.junit !== undefined) writeReport(flags.junit, nftJunit(checked, subject.source));
  if (flags.json === true) {
    const head = { v: 1, environment: readEnvironment(), source: subject.source, ms, replay };
    process.stdout.write(`${JSON.stringify({ ...head, ...withWords(checked, files) }, null, 2)}\n`);
  } else {
    const report = { ...checked, source: subject.source, replay, files };
    process.stdout.write(`${nftText(report, painter(process.stdout))}\n`);
  }
  if (where !== null) {
    const plan = planOf(checked, subject.facts, where);
    const seen = flags.dryRun === true ? null : await send(plan, bounds);
    const stream = flags.json === true ? process.stderr : process.stdout;
    stream.write(`${sendText(plan, seen)}\n`);
  }
  return exitCodeOf(checked);
}

export function exitCodeOf({ claims }: Checked): number {
  if (claims.some(({ outcome }) => outcome === 'falsified')) return exitCodes.differs;
  return claims.every(({ outcome }) => outcome === 'holds') ? exitCodes.asDeclared : exitCodes.incomplete;
}

function withWords({ claims, assumptions }: Checked, files: ReadonlyMap<string, string>) {
  return {
    assumptions,
    claims: claims.map((answer) => ({
      ...answer,
      parts: answer.parts.map((part) => {
        if (part.outcome !== 'falsified') return part;
        const pcap = files.get(partKey(answer.claim, part.name));
        return { ...part, words: packetWords(part.packet), ...(pcap === undefined ? {} : { pcap }) };
      }),
    })),
  };
}

/** One file a counterexample. Throws CodedError `report-not-written`. */
function writePcaps(folder: string, { claims }: Checked): Map<string, string> {
  const files = new Map<string, string>();
  try {
    mkdirSync(folder, { recursive: true });
    for (const { claim, parts } of claims) {
      for (const part of parts) {
        if (part.outcome !== 'falsified') continue;
        const path = join(folder, `${claim}-${part.name.replaceAll(/[^\w.-]+/g, '-')}.pcap`);
        const { frame, device } = part.packet;
        writeFileSync(path, pcapFile(Buffer.from(frame, 'hex'), device !== null));
        files.set(partKey(claim, part.name), path);
      }
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw new CodedError(
      'report-not-written',
      `a counterexample was not written to ${folder}: ${code}`,
      'name a folder that is writable and has space',
      { cause },
    );
  }
  return files;
}

const flagNames: Readonly<Record<string, string>> = {
  ruleset: '--ruleset',
  netns: '--netns',
  ingressDev: '--ingress-dev',
  tap: '--tap',
  guest: '--guest',
  guestMac: '--guest-mac',
  resolver: '--resolver',
  uplink: '--uplink',
  local: '--local',
  allow: '--allow',
  inbound: '--inbound',
};
